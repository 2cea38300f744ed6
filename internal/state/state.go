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
	maxSize = 64 << 20
)

// Data is the content of the file.
type Data struct {
	Version int `json:"version"`
	// Stops by account, as user@domain in lower case with the first label of the domain.
	Stops map[string]Stop `json:"stopped_accounts,omitempty"`
	// Roots by the forest's configuration naming context.
	Roots map[string]*Roots `json:"roots,omitempty"`
	// Images by network, URL and the way to it.
	Images map[string]Image `json:"images,omitempty"`
	// Places by site and network.
	Places map[string]Place `json:"places,omitempty"`
}

// Stop says why an account is not used any more.
type Stop struct {
	Since time.Time `json:"since"`
	// Reason is the name of the reason for which it was refused, Detail what the server said.
	Reason string `json:"reason"`
	Detail string `json:"detail"`
	// Secrets are bcrypt digests of those that were refused: the account is used again with another.
	Secrets []string `json:"secrets"`
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
	// Certificate in DER, of those that the forest published when it was first read.
	Certificate []byte `json:"certificate,omitempty"`
}

// File is the state and where it is kept. Others may write the file too: it is read again when it changed.
type File struct {
	path string
	mu   sync.Mutex
	data Data
	// read is how the file looked when data was read from it or written to it.
	read os.FileInfo
	// lastSeen by forest and root; it is not kept.
	lastSeen map[string]time.Time
}

// Open reads the file; one that does not exist yet is begun. An empty path keeps the state in memory.
func Open(path string) (*File, error) {
	f := &File{path: path, data: Data{Version: version}, lastSeen: map[string]time.Time{}}
	if path == "" {
		return f, nil
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return f, f.write() // tells at once when the folder cannot be written
	}
	return f, f.load()
}

// load reads the file.
func (f *File) load() error {
	file, err := os.Open(f.path)
	if err != nil {
		return fmt.Errorf("%s: the state file cannot be opened: %w; name another with --state.file", f.path, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("%s: the state file cannot be read: %w; name another with --state.file", f.path, err)
	}
	content, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if err != nil {
		return fmt.Errorf("%s: the state file cannot be read: %w; name another with --state.file", f.path, err)
	}
	f.read = info
	return f.parse(content)
}

// refresh reads the file again when somebody else has written it. One that cannot be read any more changes
// nothing that is known; one that is gone is written anew.
func (f *File) refresh() error {
	if f.path == "" {
		return nil
	}
	switch info, err := os.Stat(f.path); {
	case errors.Is(err, fs.ErrNotExist), err == nil && f.read != nil && os.SameFile(info, f.read) && info.ModTime().Equal(f.read.ModTime()):
		return nil
	}
	known := f.data
	if err := f.load(); err != nil {
		f.data, f.read = known, nil
		return err
	}
	return nil
}

func (f *File) parse(content []byte) error {
	f.data = Data{}
	var problem string
	switch err := json.Unmarshal(content, &f.data); {
	case len(content) > maxSize:
		problem = "larger than 64 MiB"
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
	_ = f.refresh() // the next change tells
	look(&f.data)
}

// Update lets change the state and writes it when it says so. The change holds also when writing fails. A file that
// somebody else wrote and that cannot be read is left as it is.
func (f *File) Update(change func(*Data) bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	unread := f.refresh()
	if !change(&f.data) || f.path == "" {
		return nil
	}
	if unread != nil {
		return unread
	}
	return f.write()
}

// write replaces the file as a whole, so that a crash leaves the old one or the new one.
func (f *File) write() error {
	temporary, err := os.CreateTemp(filepath.Dir(f.path), filepath.Base(f.path)+".*")
	if err != nil {
		return fmt.Errorf("%s: the state file cannot be written: %w; give the exporter a folder it may write to", f.path, err)
	}
	err = errors.Join(f.data.writeTo(temporary), keepOwner(temporary, f.path), temporary.Sync(), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), f.path)
	}
	if err != nil {
		return fmt.Errorf("%s: the state file was not written: %w", f.path, errors.Join(err, os.Remove(temporary.Name())))
	}
	f.read, err = os.Stat(f.path)
	return err
}
