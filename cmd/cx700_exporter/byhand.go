package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/cx700/cx700_exporter/internal/schedule"
)

// siteFileName is that of the site file in the working folder.
const siteFileName = "cx700.yml"

// Where deb, rpm and the container's image have what serve is given.
const (
	packagedSiteFile  = "/etc/cx700_exporter/cx700.yml"
	packagedStateFile = "/var/lib/cx700_exporter/state.json"
)

// siteFileHere is the site file where none is named: that of the working folder, else the packaged one.
func siteFileHere(packaged string) string {
	if !there(siteFileName) && there(packaged) {
		return packaged
	}
	return siteFileName
}

// stateFileBeside is the state file of the exporter that has this site file, where it is in the usual place; else empty.
func stateFileBeside(siteFile string) string {
	folder := filepath.Dir(siteFile)
	places := []string{filepath.Join(folder, "state.json"), filepath.Join(folder, "state", "state.json")}
	if siteFile == packagedSiteFile {
		places = []string{packagedStateFile}
	}
	for _, p := range places {
		if there(p) {
			return p
		}
	}
	return ""
}

// there tells whether a file is there. One in a folder that must not be looked into is, lest it be passed over.
func there(path string) bool {
	_, err := os.Stat(path)
	return err == nil || errors.Is(err, fs.ErrPermission)
}

// beside fills in the state file of the exporter that has this site file, where none is named and it is found: by that
// probes by hand know which accounts it was refused, and which roots phones hold.
func (f stateFlags) beside(siteFile string) stateFlags {
	if f.StateFile == "" {
		f.StateFile = stateFileBeside(siteFile)
	}
	return f
}

// tellForgetful says, before anything logs on, what cannot be known without a state file.
func (f stateFlags) tellForgetful(w io.Writer, probes []*schedule.Planned) {
	logsOn := func(p *schedule.Planned) bool { return p.Target.Credentialled() }
	if f.StateFile == "" && slices.ContainsFunc(probes, logsOn) {
		schedule.Wrap(w, "", "  ", "No state file: this logs on, though the account may have been refused before, and judges phones that signed in "+
			"before by the roots that are published now. Name the exporter's own file with --state.file.")
	}
}
