package collectors

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/site"
)

const (
	// smallestImage is far less than an image has: they have some 15 MiB (guide step 27).
	smallestImage = 16 << 10
	// maxFiles bounds how many files one probe looks for, and moreFiles how many more for each further server.
	maxFiles  = 16
	moreFiles = 8
)

// fileForm is the name of a file in an answer; it must not lead out of its folder.
var fileForm = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$`)

var (
	descFirmwareReachable = metric.NewGauge("cx700_firmware_reachable",
		"Whether a file of an update is there for phones at each address of its server (1) or not (0); outside a demand for an NTLM "+
			"logon counts as there. Absent when the server's name was not answered.",
		`cx700_firmware_reachable == 0`, "network", "target", "file")
	descFirmwareSize = metric.NewGauge("cx700_firmware_size_bytes",
		"Size of an image as its server tells, the smallest of its addresses; absent when it does not tell.",
		`cx700_firmware_size_bytes < 1e6`, "network", "target", "file")
)

// Firmware watches the files of updates by their headers.
func Firmware() *Collector {
	return &Collector{
		Name: "firmware", Asks: "Are the files of an update there for phones to fetch?", Guide: "17, 23, 26, 31",
		Steps:    []phone.Step{phone.StepFirmware},
		Interval: 5 * time.Minute, Timeout: 20 * time.Second,
		Reasons: firmwareReasons(),
		Metrics: []*metric.Desc{descFirmwareReachable, descFirmwareSize},
		Targets: func(s *site.Site, n site.Network) []Target { return updateTargets("firmware", s, n) },
		Probe:   probeFirmware,
		Explain: explainFirmware,
	}
}

func probeFirmware(ctx context.Context, env *Env, seen *facts.Seen) error {
	f, err := lookAtFiles(ctx, env)
	if err != nil {
		return err
	}
	seen.Firmware = f
	for i := range f.Files {
		file := &f.Files[i]
		a := file.Answer()
		if a == nil {
			continue
		}
		// What came of a logon is held for an hour: it may be older than what was read.
		if known := env.Shared.State.Image(imageKey(env.Target, file.URL, a.Address)); !a.At.Before(known.Seen) {
			file.Largest = known.Largest
		}
	}
	emitFirmware(env, f)
	return join(judgeFirmware(env.Target, f))
}

// lookAtFiles asks for the headers of all files: without a logon, always, and with one where that is wanted.
func lookAtFiles(ctx context.Context, env *Env) (*facts.Firmware, error) {
	u, err := env.Update(ctx)
	if err != nil {
		return nil, err
	}
	l := filesToAsk(env.Target, u)
	f := &facts.Firmware{Update: u, Foreign: l.foreign, LeftOut: l.leftOut}
	f.Files = env.Target.Way.AskFiles(ctx, l.files)
	logOnToFiles(ctx, env, f)
	return f, nil
}

// logOnToFiles asks again for the files at each address that wants a logon by NTLM over TLS.
func logOnToFiles(ctx context.Context, env *Env, f *facts.Firmware) {
	if env.Target.Update.Credential == nil {
		return
	}
	for _, wanted := range wantingNTLM(f.Files) {
		f.Logons = append(f.Logons, env.Shared.Updates.LogOnToFiles(ctx, env.updateAccess(), wanted))
	}
}

// wantingNTLM parts the files that want a logon by NTLM over TLS by host and address.
func wantingNTLM(files []facts.FirmwareFile) [][]*facts.FirmwareFile {
	var all []*facts.FirmwareFile
	for i := range files {
		if asksNTLM(files[i].Anonymous) && strings.HasPrefix(files[i].URL, "https:") {
			all = append(all, &files[i])
		}
	}
	return together(all, func(f **facts.FirmwareFile) string { return fmt.Sprint((*f).Host, (*f).Anonymous.Address) })
}

func asksNTLM(a *facts.FileAnswer) bool {
	return a != nil && a.Status == http.StatusUnauthorized && reach.OffersNTLM(a.WebAnswer)
}

// filesToAsk lists the interim image, the files of the site file and those that the answers name, each once.
// An answer may not aim us at other servers: what is foreign is told and not asked.
func filesToAsk(t *Target, u *facts.Update) *fileList {
	servers := ownServers(u)
	l := &fileList{target: t, update: u, most: maxFiles + moreFiles*max(0, len(servers)-1), listed: map[string]bool{}}
	scheme, folder := "http", phone.FilesPath
	if t.Network == site.External {
		scheme, folder = "https", phone.FilesPathExt
	}
	for _, host := range servers {
		l.add(&url.URL{Scheme: scheme, Host: host, Path: folder + phone.InterimImage}, facts.InterimFile)
		for _, configured := range t.Update.Paths {
			l.add(&url.URL{Scheme: scheme, Host: host, Path: configured}, facts.ConfiguredFile)
		}
	}
	for i := range u.Servers {
		for _, a := range updateAnswers(t, &u.Servers[i]) {
			for _, f := range a.Response.Files {
				l.offered(f)
			}
		}
	}
	return l
}

// ownServers lists the names of servers, without those that are further names of the same ones.
func ownServers(u *facts.Update) []string {
	var out []string
	served := map[netip.Addr]bool{}
	for i := range u.Servers {
		s := &u.Servers[i]
		if s.Address.IsValid() && !served[s.Address] && !slices.Contains(out, s.Host) {
			out = append(out, s.Host)
		}
		served[s.Address] = true
	}
	return out
}

type fileList struct {
	target  *Target
	update  *facts.Update
	most    int
	files   []reach.FileURL
	listed  map[string]bool
	leftOut int
	foreign []string
}

func (l *fileList) add(u *url.URL, kind facts.FileKind) {
	key := strings.ToLower(u.String())
	switch {
	case l.listed[key]:
		return
	case len(l.files) < l.most:
		l.files = append(l.files, reach.FileURL{URL: u, Kind: kind})
	default:
		l.leftOut++
	}
	l.listed[key] = true
}

func (l *fileList) reject(what, why string) {
	if text := fmt.Sprintf("%.50q: %s", withoutPassword(what), why); !slices.Contains(l.foreign, text) && len(l.foreign) < maxFiles {
		l.foreign = append(l.foreign, text)
	}
}

// offered adds the three files of one offer, below the base URL that is for this network.
func (l *fileList) offered(f phone.UpdateFile) {
	base := f.BaseURL
	if l.target.Network == site.External {
		base = f.ExternalBaseURL
	}
	if base == "" {
		return
	}
	u, why := follow(l.target, base, l.asked)
	if why != "" {
		l.reject(base, why)
		return
	}
	for _, name := range f.Names() {
		if !fileForm.MatchString(name) {
			l.reject(name, "no plain name of a file")
			continue
		}
		l.add(u.JoinPath(name), facts.OfferedFile)
	}
}

// asked tells whether a host is one of the servers for updates, by its name or an address.
func (l *fileList) asked(host string) bool {
	address, err := netip.ParseAddr(host)
	return slices.ContainsFunc(l.update.Servers, func(s facts.UpdateServer) bool {
		return s.Host == host || err == nil && slices.Contains(reach.Addresses(s.Names), address)
	})
}

// fileName tells a reader which file it is: its name, its version and its server.
func fileName(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return fileLabel(address)
	}
	name := path.Base(u.Path)
	if v := phone.OfferedVersion(path.Dir(u.Path)); v != "" {
		name += " of " + v
	}
	return name + " on " + u.Host
}

// fileLabel is the label of a file: its URL, shortened in the middle.
func fileLabel(address string) string {
	const half = 100
	if len(address) <= 2*half {
		return address
	}
	return address[:half] + "..." + address[len(address)-half:]
}

// together parts what was seen into lists of one key each, in the order of their first ones.
func together[T any](all []T, key func(*T) string) [][]T {
	var out [][]T
	place := map[string]int{}
	for i := range all {
		at, again := place[key(&all[i])]
		if !again {
			at = len(out)
			place[key(&all[i])] = at
			out = append(out, nil)
		}
		out[at] = append(out[at], all[i])
	}
	return out
}

// emitFirmware gives one set of series for the files of one URL on several servers.
func emitFirmware(env *Env, f *facts.Firmware) {
	for _, same := range together(f.Files, func(f *facts.FirmwareFile) string { return f.URL }) {
		label := fileLabel(same[0].URL)
		reachable, known := true, false
		for i := range same {
			r, _ := fileReason(env.Target, &same[i])
			known = known || r != reasonFirmwareNamesUnanswered
			reachable = reachable && (r == nil || r == reasonFirmwareAnonymous)
		}
		if known {
			env.Emit(descFirmwareReachable, oneIf(reachable), label)
		}
		if sizes := sizesOf(same); len(sizes) > 0 && isImage(same[0].URL) {
			env.Emit(descFirmwareSize, float64(slices.Min(sizes)), label)
		}
	}
}

// sizesOf lists the sizes that servers tell of one file.
func sizesOf(files []facts.FirmwareFile) []int64 {
	var out []int64
	for i := range files {
		if a := files[i].Answer(); a != nil && holdsFile(a) && a.Size >= 0 {
			out = append(out, a.Size)
		}
	}
	return out
}

// isImage tells whether a file is named as images are.
func isImage(address string) bool { return strings.HasSuffix(strings.ToLower(address), ".nbt") }

// holdsFile tells whether an answer is a file, which a page of a proxy is not.
func holdsFile(a *facts.FileAnswer) bool {
	return (a.Status == http.StatusOK || a.Status == http.StatusPartialContent) && !isPage(a.ContentType)
}

func isPage(contentType string) bool {
	return strings.HasPrefix(strings.ToLower(contentType), "text/html")
}

// judgeFirmware says in which ways files cannot be fetched.
func judgeFirmware(t *Target, f *facts.Firmware) []*Failure {
	found := findings{}
	for i := range f.Files {
		if r, text := fileReason(t, &f.Files[i]); r != nil {
			found.add(r, fileName(f.Files[i].URL)+": "+text)
		}
	}
	for _, same := range together(f.Files, func(f *facts.FirmwareFile) string { return f.URL }) {
		sizes := sizesOf(same)
		slices.Sort(sizes)
		if sizes = slices.Compact(sizes); len(sizes) > 1 {
			found.add(reasonImagesDiffer, fmt.Sprintf("%s: sizes in bytes at its addresses: %v", fileName(same[0].URL), sizes))
		}
	}
	if f.LeftOut > 0 {
		found.add(reasonFirmwareLeftOut, fmt.Sprintf("looked for: %d files, not looked for: %d", len(f.Files), f.LeftOut))
	}
	for _, host := range unanswered(t, f) {
		found.add(reasonFirmwareNamesUnanswered, host+": no resolver answers the name of this server for updates")
	}
	for _, text := range f.Foreign {
		found.add(reasonBaseURLForeign, text)
	}
	for _, l := range f.Logons {
		if r := webLogonReason(l); r != nil {
			found.add(r, l.Detail)
		}
	}
	judgePublishing(t, f, found)
	return found.failures(Firmware().Reasons)
}

// unanswered lists the servers for updates of which it is not known whether they have files, of those that count.
func unanswered(t *Target, f *facts.Firmware) []string {
	var out []string
	for _, s := range counted(t, f.Update) {
		if !(nameView{s.Names}).settled(s.Host, phone.A) {
			out = append(out, s.Host)
		}
	}
	return out
}

// judgePublishing looks outside for one half of what must be published: the service, and its files.
func judgePublishing(t *Target, f *facts.Firmware, found findings) {
	if t.Network != site.External {
		return
	}
	var service, files half
	for _, s := range f.Update.Servers {
		if s.Secure != nil {
			service.take(phone.UpdatePathExt, s.Secure.WebAnswer, true)
		}
	}
	for i := range f.Files {
		if a := f.Files[i].Anonymous; a != nil {
			// Where the service wants a logon, so does what is published of the files, whether they are there or not.
			files.take(fileName(f.Files[i].URL), a.WebAnswer, f.Files[i].Kind != facts.InterimFile || service.wantsLogon)
		}
	}
	if service.published && files.hidden && !files.published || files.published && service.hidden && !service.published {
		texts := append(service.texts, files.texts...)
		found.add(reasonPublishingHalf, strings.Join(texts[:min(len(texts), 4)], "; "))
	}
}

// half is one half of what must be published. It is hidden where a rule forbids it, and where something is not there
// that must be: the interim image need not. Any other answer does not tell.
type half struct {
	published, hidden, wantsLogon bool
	texts                         []string
}

func (h *half) take(name string, a facts.WebAnswer, must bool) {
	h.wantsLogon = h.wantsLogon || a.Status == http.StatusUnauthorized
	switch a.Status {
	case http.StatusOK, http.StatusPartialContent, http.StatusUnauthorized:
		h.published = true
	case http.StatusForbidden:
		h.hidden = true
	case http.StatusNotFound:
		h.hidden = h.hidden || must
	}
	if a.Status != 0 {
		h.texts = append(h.texts, name+": "+webText(a))
	}
}

// fileReason says what is to be said of one file, nil when all is well.
func fileReason(t *Target, f *facts.FirmwareFile) (r *Reason, seen string) {
	if f.Names != nil {
		l, settled := nameView{f.Names}.lookup(f.Host, phone.A)
		switch {
		case !settled:
			return reasonFirmwareNamesUnanswered, "no resolver answers its server's name"
		case l.None():
			return reasonFirmwareUnresolved, "A " + string(l.Outcome)
		}
	}
	a := f.Answer()
	if a == nil {
		return reasonFirmwareSilent, "no time was left to ask"
	}
	if text, byAll := refusedCertificate(t, f.Host, a.Served, a.At); byAll && t.Network == site.External {
		return reasonUpdateCertificate, fmt.Sprintf("at %s: %s", a.Address, text)
	}
	r = headerReason(a)
	if r == nil && isImage(f.URL) && a.Size >= 0 && a.Size < smallestImage {
		r = reasonFirmwareEmpty
	}
	switch {
	case asksNTLM(a) && t.Network == site.External:
		return nil, ""
	case r == nil && f.Kind != facts.InterimFile && a.Size >= 0 && a.Size < f.Largest:
		return reasonDownloadCutOff, fmt.Sprintf("%s; under the same version %d bytes were read before", fileText(a), f.Largest)
	case f.Kind == facts.InterimFile && r == reasonFirmwareNotFound:
		r = reasonInterimMissing
	case r == nil && t.Network == site.External && f.LoggedOn == nil:
		r = reasonFirmwareAnonymous
	}
	if r == nil {
		return nil, ""
	}
	return r, fileText(a)
}

// headerReason says what is to be said of what a server tells of a file.
func headerReason(a *facts.FileAnswer) *Reason {
	switch {
	case a.Problem != "":
		return firmwareProblems[a.Problem]
	case holdsFile(a) && a.Size == 0:
		return reasonFirmwareEmpty
	case holdsFile(a):
		return nil
	case a.Status == http.StatusOK || a.Status == http.StatusPartialContent:
		return reasonFirmwarePage
	case a.Status == http.StatusUnauthorized:
		return reasonFirmwareLogonWanted
	default:
		return firmwareStatuses.of(a.Status)
	}
}

// fileText says in a few words what a server told of a file.
func fileText(a *facts.FileAnswer) string {
	text := a.Method + ": " + webText(a.WebAnswer)
	if a.Problem != "" {
		return text
	}
	if a.Size >= 0 && (a.Status == http.StatusOK || a.Status == http.StatusPartialContent) {
		text += fmt.Sprintf(", %d bytes", a.Size)
	}
	if a.ContentType != "" {
		text += ", " + a.ContentType
	}
	if !a.LastModified.IsZero() {
		text += ", of " + a.LastModified.UTC().Format(time.DateTime)
	}
	if a.ETag != "" {
		text += fmt.Sprintf(", ETag %.40s", a.ETag)
	}
	return text
}
