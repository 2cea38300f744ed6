//go:build unix

package state

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestRootLeavesTheFileToItsOwner: the service must be able to read what root's probe by hand wrote.
func TestRootLeavesTheFileToItsOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root")
	}
	const service = 65534
	path := filepath.Join(t.TempDir(), "state.json")
	if err := os.Chown(filepath.Dir(path), service, service); err != nil {
		t.Fatal(err)
	}
	f := opened(t, path)
	for what, change := range map[string]func(*Data) bool{
		"begun":   func(*Data) bool { return false },
		"changed": func(d *Data) bool { d.Stops = map[string]Stop{"reader": {Since: monday}}; return true },
	} {
		if err := f.Update(change); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if owner := info.Sys().(*syscall.Stat_t); owner.Uid != service || owner.Gid != service {
			t.Errorf("%s by root: of user %d, group %d", what, owner.Uid, owner.Gid)
		}
	}
}
