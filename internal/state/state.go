// Package state keeps the little that an exporter must not forget when it is started anew: accounts that
// were refused and are not used again, since when each published root has been seen, and the sums of images of
// firmware. It is one small JSON file, --state.file, written anew at each change; without a path it is kept in
// memory only.
package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	version = 1
	maxSize = 16 << 20
)

// Data is the content of the file.
type Data struct {
	Version int `json:"version"`
	// Stops by the name of the credential.
	Stops map[string]Stop `json:"stopped_credentials,omitempty"`
	// Roots by the forest's configuration naming context.
	Roots map[string]*Roots `json:"roots,omitempty"`
	// Images by network, URL and the way to it.
	Images map[string]Image `json:"images,omitempty"`
}

// Stop says why a credential is not used any more.
type Stop struct {
	Since time.Time `json:"since"`
	// Reason is the name of the reason for which it was refused, Detail what the server said.
	Reason string `json:"reason"`
	Detail string `json:"detail"`
	// Secret tells secrets apart without holding one: a credential is used again when it changes.
	Secret string `json:"secret"`
}

// Roots is what is known of the roots that a forest publishes.
type Roots struct {
	// Began is when they were first read.
	Began time.Time `json:"began"`
	// Seen by the SHA-256 of the certificate in hex.
	Seen map[string]Root `json:"seen"`
	// Events, the oldest first, as many as are kept; Counts has them all.
	Events []Event        `json:"events,omitempty"`
	Counts map[Change]int `json:"counts,omitempty"`
}

// Root is one root certificate.
type Root struct {
	Subject   string    `json:"subject"`
	Object    string    `json:"object"`
	FirstSeen time.Time `json:"first_seen"`
	// Gone is when it was not published any more; zero while it is.
	Gone time.Time `json:"gone,omitzero"`

	lastSeen time.Time
}

// File is the state and where it is kept.
type File struct {
	path string
	mu   sync.Mutex
	data Data
}

// Open reads the file; one that does not exist yet is begun. An empty path keeps the state in memory.
func Open(path string) (*File, error) {
	f := &File{path: path, data: Data{Version: version}}
	if path == "" {
		return f, nil
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, f.write() // tells at once when the folder cannot be written
	}
	if err != nil {
		return nil, fmt.Errorf("%s: the state file cannot be opened: %w; name another with --state.file", path, err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("%s: the state file cannot be read: %w; name another with --state.file", path, err)
	}
	return f, f.parse(content)
}

func (f *File) parse(content []byte) error {
	var problem string
	switch err := json.Unmarshal(content, &f.data); {
	case len(content) > maxSize:
		problem = "larger than 16 MiB"
	case err != nil:
		problem = "not the exporter's JSON: " + err.Error()
	case f.data.Version != version:
		problem = fmt.Sprintf("of version %d, this exporter knows %d", f.data.Version, version)
	default:
		f.fill()
		return nil
	}
	return fmt.Errorf("%s: the state file is %s; restore it, or move it away to begin anew", f.path, problem)
}

// fill makes the maps that a file may lack.
func (f *File) fill() {
	for forest, r := range f.data.Roots {
		if r == nil {
			r = &Roots{}
			f.data.Roots[forest] = r
		}
		if r.Seen == nil {
			r.Seen = map[string]Root{}
		}
		if r.Counts == nil {
			r.Counts = map[Change]int{}
		}
	}
}

// View shows the state; it must not be kept or changed.
func (f *File) View(look func(*Data)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	look(&f.data)
}

// Update lets change the state and writes it when it says so. The change holds also when writing fails.
func (f *File) Update(change func(*Data) bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !change(&f.data) || f.path == "" {
		return nil
	}
	return f.write()
}

// write replaces the file as a whole, so that a crash leaves the old one or the new one.
func (f *File) write() error {
	content, err := json.MarshalIndent(&f.data, "", "  ")
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(f.path), filepath.Base(f.path)+".*")
	if err != nil {
		return fmt.Errorf("%s: the state file cannot be written: %w; give the exporter a folder it may write to", f.path, err)
	}
	_, err = temporary.Write(content)
	err = errors.Join(err, temporary.Sync(), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), f.path)
	}
	if err != nil {
		return fmt.Errorf("%s: the state file was not written: %w", f.path, errors.Join(err, os.Remove(temporary.Name())))
	}
	return nil
}
