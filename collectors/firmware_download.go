package collectors

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/site"
	"github.com/cx700/cx700_exporter/internal/state"
)

const (
	// maxImages bounds how many images one probe reads.
	maxImages = 16
	// defaultRate spares the network: an image takes a quarter of a minute.
	defaultRate = 1 << 20
	// slowRate is a speed at which an image takes eight minutes. What phones stand is not known.
	slowRate = 32 << 10
)

var (
	descDownloadOK = metric.NewGauge("cx700_firmware_download_ok",
		"Whether the last reading of a whole image, from each server that has it, brought all of it (1) or not (0).",
		`cx700_firmware_download_ok == 0`, "network", "target", "file")
	descDownloadSpeed = metric.NewGauge("cx700_firmware_download_bytes_per_second",
		"How fast the last reading of a whole image went, at the slowest of its servers; never faster than the exporter's own limit.",
		`cx700_firmware_download_bytes_per_second / 1e6`, "network", "target", "file")
	descFirmwareChanges = metric.NewCounter("cx700_firmware_changes_total",
		"How often an image was read with other bytes than before under the same URL, and so under the same version.",
		`increase(cx700_firmware_changes_total[2d]) > 0`, "network", "target", "file")
)

// FirmwareDownload reads the images of updates as a whole, as phones do.
func FirmwareDownload() *Collector {
	return &Collector{
		Name: "firmware_download", Asks: "Does the whole image of an update come through, and is it still the same?", Guide: "31",
		Steps:    []phone.Step{phone.StepFirmware},
		Interval: 24 * time.Hour, Timeout: time.Hour, Alone: true,
		Reasons: firmwareDownloadReasons(),
		Metrics: []*metric.Desc{descDownloadOK, descDownloadSpeed, descFirmwareChanges},
		Targets: func(s *site.Site, n site.Network) []Target {
			targets := updateTargets("firmware_download", s, n)
			for i := range targets {
				targets[i].MaxBytesPerSecond = defaultRate
			}
			return targets
		},
		Probe:   probeFirmwareDownload,
		Explain: explainFirmwareDownload,
	}
}

func probeFirmwareDownload(ctx context.Context, env *Env, seen *facts.Seen) error {
	f, err := lookAtFiles(ctx, env)
	if err != nil {
		return err
	}
	t := env.Target
	access := reach.DownloadAccess{Way: t.Way, Update: *t.Update, BytesPerSecond: t.MaxBytesPerSecond, Owner: t.Key()}
	if env.Scheduled {
		access.Fresh = t.Interval / 2 // another target with the same server may have read it
	}
	files := images(f)
	d := &facts.Downloads{Firmware: f, LeftOut: max(0, len(files)-maxImages)}
	seen.Downloads = d
	files = files[:len(files)-d.LeftOut]
	for i, file := range files {
		image := readInShare(ctx, env, access, file, len(files)-i)
		if err := observeImage(env, &image); err != nil {
			return err
		}
		d.Images = append(d.Images, image)
	}
	emitDownloads(env, d)
	return join(judgeDownloads(t, d))
}

// readInShare reads one of the images that are left in its share of the time, so that a slow server does not
// make the others look silent.
func readInShare(ctx context.Context, env *Env, access reach.DownloadAccess, file facts.FirmwareFile, left int) facts.Download {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
		defer cancel()
	}
	return env.Shared.Downloads.Read(ctx, access, file)
}

// images are the files worth reading as a whole: those that are there, and named as images are. What phones
// are offered comes first.
func images(f *facts.Firmware) []facts.FirmwareFile {
	out := slices.DeleteFunc(slices.Clone(f.Files), func(file facts.FirmwareFile) bool {
		a := file.Answer()
		return a == nil || !holdsFile(a) || !isImage(file.URL)
	})
	order := []facts.FileKind{facts.OfferedFile, facts.ConfiguredFile, facts.InterimFile}
	slices.SortStableFunc(out, func(a, b facts.FirmwareFile) int {
		return slices.Index(order, a.Kind) - slices.Index(order, b.Kind)
	})
	return out
}

// imageKey names an image in the state: its URL, the server, and the way to it, since one name may lead to
// different servers at different sites.
func imageKey(t *Target, url string, server netip.AddrPort) string {
	way := sha256.Sum256([]byte(fmt.Sprint(t.Way)))
	return fmt.Sprintf("%s %s at %s by %x", t.Network, url, server, way[:4])
}

// observeImage compares an image with what the state knows of its URL. Probes on demand leave no trace.
func observeImage(env *Env, d *facts.Download) error {
	key := imageKey(env.Target, d.URL, d.Address)
	if !d.Complete() || d.Status != http.StatusOK || !holdsFile(&d.FileAnswer) {
		d.Changes = env.Shared.State.Image(key).Changes
		return nil
	}
	before := env.Shared.State.Image(key)
	now := before.Next(state.Image{SHA256: d.SHA256, Size: d.Read, Seen: d.At})
	d.Changes, d.Largest = now.Changes, now.Largest
	if before.SHA256 != "" && before.SHA256 != d.SHA256 {
		d.Before = before.SHA256
	}
	if !env.Scheduled {
		return nil
	}
	if d.Before != "" {
		env.Say("firmware changed under the same version", "url", d.URL, "before", d.Before, "now", d.SHA256,
			"bytes_before", before.Size, "bytes", d.Read)
	}
	return env.Shared.State.ObserveImage(key, now)
}

// emitDownloads gives one set of series for the images of one URL on several servers.
func emitDownloads(env *Env, d *facts.Downloads) {
	for _, same := range together(d.Images, func(i *facts.Download) string { return i.URL }) {
		label := fileLabel(same[0].URL)
		ok, known, changes, slowest := true, false, 0, math.Inf(1)
		for i := range same {
			r, _ := downloadReason(env.Target, &same[i])
			known = known || r == nil || r.Effect != Blinds
			ok = ok && (r == nil || r == reasonDownloadSlow || r.Effect == Blinds)
			changes += same[i].Changes
			if same[i].Complete() {
				slowest = min(slowest, same[i].BytesPerSecond())
			}
		}
		env.Emit(descFirmwareChanges, float64(changes), label)
		if known {
			env.Emit(descDownloadOK, oneIf(ok), label)
		}
		if !math.IsInf(slowest, 1) {
			env.Emit(descDownloadSpeed, slowest, label)
		}
	}
}

// judgeDownloads says which images did not come through. That files are not there is said by the collector
// firmware; here it is said only that nothing could be read.
func judgeDownloads(t *Target, d *facts.Downloads) []*Failure {
	found := findings{}
	for i := range d.Images {
		if r, text := downloadReason(t, &d.Images[i]); r != nil {
			found.add(r, fileName(d.Images[i].URL)+": "+text)
		}
	}
	if len(d.Images) == 0 {
		judgeNoImage(t, d.Firmware, found)
	}
	for _, l := range d.Firmware.Logons {
		if r := webLogonReason(l); r != nil {
			found.add(r, l.Detail)
		}
	}
	if d.LeftOut > 0 {
		found.add(reasonFirmwareLeftOut, fmt.Sprintf("images read: %d, not read: %d", len(d.Images), d.LeftOut))
	}
	judgeSizes(d, found)
	return found.failures(FirmwareDownload().Reasons)
}

// judgeNoImage says why nothing could be read, where that is not another collector's matter. Files that want
// a logon which the site file does not give us are not watched.
func judgeNoImage(t *Target, f *facts.Firmware, found findings) {
	for _, l := range f.Logons {
		if r := webLogonReason(l); r != nil {
			found.add(r, l.Detail)
			return
		}
	}
	answered := false
	for i := range f.Files {
		a := f.Files[i].Anonymous
		if t.Update.Credential == nil && asksNTLM(a) {
			return
		}
		answered = answered || a != nil && a.Status != 0
	}
	if hosts := unanswered(t, f); hosts != nil {
		found.add(reasonFirmwareNamesUnanswered, strings.Join(hosts, ", ")+": no resolver answers the name of this server for updates")
	}
	if answered {
		found.add(reasonNoImage, fmt.Sprintf("files looked for: %d", len(f.Files)))
	}
}

// downloadReason says what is to be said of one image, nil when all is well.
func downloadReason(t *Target, d *facts.Download) (r *Reason, seen string) {
	text := downloadText(d)
	switch {
	case d.Problem == facts.WebNoLogon:
		return reasonUpdateLogonFailed, text
	case d.Problem == facts.WebOwnLimit:
		return reasonDownloadLimited, text
	case d.Problem == facts.WebSilent && d.Read > 0:
		return reasonDownloadStalled, text
	case d.Problem != "" && d.Read > 0:
		return reasonDownloadCutOff, text
	case d.Problem != "":
		return firmwareProblems[d.Problem], text
	case !holdsFile(&d.FileAnswer):
		return headerReason(&d.FileAnswer), text
	case d.Announced >= 0 && d.Read != d.Announced, d.Kind != facts.InterimFile && d.Read < d.Largest:
		return reasonDownloadCutOff, text
	case d.BytesPerSecond() < slowRate && t.MaxBytesPerSecond >= 2*slowRate && d.Took > time.Second:
		return reasonDownloadSlow, text
	default:
		return nil, ""
	}
}

// judgeSizes compares the images of one version on several servers.
func judgeSizes(d *facts.Downloads, found findings) {
	type read struct{ place, sum string }
	place := func(image *facts.Download) string { return fmt.Sprintf("%s at %s", fileName(image.URL), image.Address) }
	first := map[string]read{}
	for i := range d.Images {
		image := &d.Images[i]
		if !image.Complete() {
			continue
		}
		path := strings.ToLower(pathOf(image.URL))
		if before, again := first[path]; !again {
			first[path] = read{place(image), image.SHA256}
		} else if before.sum != image.SHA256 {
			found.add(reasonImagesDiffer, fmt.Sprintf("%s: SHA-256 %s; %s: SHA-256 %s", before.place, before.sum, place(image), image.SHA256))
		}
	}
}

func pathOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Path
}

// downloadText says in a few words how the reading of an image went.
func downloadText(d *facts.Download) string {
	text := fmt.Sprintf("%s, read %d bytes", webText(d.WebAnswer), d.Read)
	if d.Size >= 0 {
		text += fmt.Sprintf(" of %d", d.Size)
	}
	if d.Announced >= 0 && d.Announced != d.Size {
		text += fmt.Sprintf(", HEAD told %d", d.Announced)
	}
	if d.Largest > d.Read {
		text += fmt.Sprintf(", under the same version there were %d before", d.Largest)
	}
	text += fmt.Sprintf(" in %s, %.1f MB/s", d.Took.Round(time.Millisecond), d.BytesPerSecond()/1e6)
	return text
}

func firmwareDownloadReasons() []*Reason {
	out := []*Reason{
		reasonDownloadStalled, reasonDownloadSlow, reasonNoImage, reasonDownloadLimited,
	}
	for _, r := range firmwareReasons() {
		names := []*Reason{reasonBaseURLForeign, reasonPublishingHalf, reasonFirmwareAnonymous, reasonInterimMissing,
			reasonFirmwareUnresolved}
		if !slices.Contains(names, r) {
			out = append(out, r)
		}
	}
	return out
}
