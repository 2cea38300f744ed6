package collectors

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
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
	for i := range f.Files {
		file := &f.Files[i]
		fmt.Fprintf(w, "file %s (%s)\n  in %s\n", fileName(file.URL), file.Kind, folder(file.URL))
		explainNames(w, file.Names)
		if file.Anonymous != nil {
			explainFileAnswer(w, "without a logon", file.Anonymous)
		}
		if file.LoggedOn != nil {
			explainFileAnswer(w, "logged on", file.LoggedOn)
		}
	}
	if len(f.Files) == 0 {
		fmt.Fprintln(w, "no file is known")
	}
	if f.Logon != nil {
		explainWebLogon(w, t, *f.Logon)
	}
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

// explainFirmwareDownload writes how far each image came, and what it is.
func explainFirmwareDownload(w io.Writer, t *Target, seen *facts.Seen) {
	if seen.Downloads == nil {
		return
	}
	explainFiles(w, t, seen.Downloads.Firmware)
	for i := range seen.Downloads.Images {
		d := &seen.Downloads.Images[i]
		fmt.Fprintf(w, "image %s (%s), begun %s\n", fileName(d.URL), d.Kind, d.At.UTC().Format(time.RFC3339))
		fmt.Fprintf(w, "  in %s\n", folder(d.URL))
		fmt.Fprintf(w, "  at most %d bytes per second\n  %s\n", t.MaxBytesPerSecond, downloadText(d))
		if d.SHA256 != "" {
			fmt.Fprintf(w, "  SHA-256 %s\n", d.SHA256)
		}
		if d.Before != "" {
			fmt.Fprintf(w, "  changed under the same version; before: %s\n", d.Before)
		}
	}
}
