package collectors

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/reach"
)

// explainFirmware writes which files were looked for, why, and what their servers tell of them.
func explainFirmware(w io.Writer, t *Target, seen *facts.Seen) {
	if seen.Firmware != nil {
		explainFiles(w, t, seen.Firmware)
	}
}

func explainFiles(w io.Writer, t *Target, f *facts.Firmware) {
	fmt.Fprintln(w, "what the update service names")
	for i := range f.Update.Servers {
		s := &f.Update.Servers[i]
		if a := firstAnswer(t, s); a != nil {
			fmt.Fprintf(w, "  %s: %s\n", s.Host, updateText(a))
		}
	}
	for _, text := range f.Foreign {
		fmt.Fprintf(w, "  not followed: %s\n", text)
	}
	for _, same := range together(f.Files, func(f *facts.FirmwareFile) string { return f.URL }) {
		explainFile(w, same)
	}
	if len(f.Files) == 0 {
		fmt.Fprintln(w, "no file is known")
	}
	if f.LeftOut > 0 {
		fmt.Fprintf(w, "%d more files were not looked for\n", f.LeftOut)
	}
	for _, l := range f.Logons {
		explainWebLogon(w, t.Update.Credential, l)
	}
}

// explainFile writes of one file what each address of its server tells.
func explainFile(w io.Writer, same []facts.FirmwareFile) {
	file := &same[0]
	fmt.Fprintf(w, "file %s (%s)\n%s", fileName(file.URL), file.Kind, folded("  in ", folder(file.URL)))
	explainNames(w, file.Names)
	for i := range same {
		if a := same[i].Anonymous; a != nil {
			explainFileAnswer(w, "without a logon", a)
		}
		if a := same[i].LoggedOn; a != nil {
			explainFileAnswer(w, "logged on", a)
		}
	}
}

// folded writes a long word, such as a URL, over lines that fit a terminal.
func folded(before, word string) string {
	const columns = 98
	var b strings.Builder
	for len(before)+len(word) > columns {
		cut := columns - len(before)
		if slash := strings.LastIndexByte(word[:cut], '/'); slash > 0 {
			cut = slash + 1
		}
		b.WriteString(before + word[:cut] + "\n")
		before, word = strings.Repeat(" ", len(before)+2), word[cut:]
	}
	return b.String() + before + word + "\n"
}

// folder is a URL without the name of the file.
func folder(address string) string { return address[:strings.LastIndexByte(address, '/')+1] }

func explainFileAnswer(w io.Writer, how string, a *facts.FileAnswer) {
	text := fileText(a)
	if a.TLS != "" {
		text += ", " + a.TLS
	}
	fmt.Fprintf(w, "  %s: %s  [%s]\n", how, text, a.Took.Round(10*time.Microsecond))
}

// TellDownloads writes every so often a line on how far the reading of an image is, for somebody who waits.
func TellDownloads(w io.Writer, shared *reach.Shared, every time.Duration) {
	shared.Downloads.TellProgress(every, func(d *facts.Download) { fmt.Fprintln(w, downloadProgress(d)) })
}

func downloadProgress(d *facts.Download) string {
	const mega = 1e6
	text := fmt.Sprintf("%s: %.1f MB", fileName(d.URL), float64(d.Read)/mega)
	if d.Size > 0 {
		text += fmt.Sprintf(" of %.1f, %d %%", float64(d.Size)/mega, 100*d.Read/d.Size)
	}
	return text + fmt.Sprintf(", %.1f MB/s", float64(d.Read)/mega/time.Since(d.At).Seconds())
}

// explainFirmwareDownload writes how far each image came, and what it is.
func explainFirmwareDownload(w io.Writer, t *Target, seen *facts.Seen) {
	if seen.Downloads == nil {
		return
	}
	explainFiles(w, t, seen.Downloads.Firmware)
	for i := range seen.Downloads.Images {
		d := &seen.Downloads.Images[i]
		fmt.Fprintf(w, "image %s (%s) at %s, begun %s\n", fileName(d.URL), d.Kind, d.Address, d.At.UTC().Format(time.RFC3339))
		fmt.Fprint(w, folded("  in ", folder(d.URL)))
		fmt.Fprintf(w, "  at most %d bytes per second\n  %s\n", t.MaxBytesPerSecond, downloadText(d))
		if d.SHA256 != "" {
			fmt.Fprintf(w, "  SHA-256 %s\n", d.SHA256)
		}
		if d.Before != "" {
			fmt.Fprintf(w, "  changed under the same version; before: %s\n", d.Before)
		}
	}
	if n := seen.Downloads.LeftOut; n > 0 {
		fmt.Fprintf(w, "%d more images were not read\n", n)
	}
}
