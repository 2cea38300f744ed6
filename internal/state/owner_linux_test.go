package state

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRootWithoutChown: a container's root has no capability to give files away, and finds a state that another user wrote.
func TestRootWithoutChown(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root")
	}
	path := filepath.Join(t.TempDir(), "state.json")
	f := opened(t, path)
	if err := f.Update(func(*Data) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 65534, os.Getgid()); err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread() // for good: the thread, which has fewer capabilities from here on, ends with the test
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	if err := unix.Capget(&header, &caps[0]); err != nil {
		t.Fatal(err)
	}
	caps[0].Effective &^= 1 << unix.CAP_CHOWN
	if err := unix.Capset(&header, &caps[0]); err != nil {
		t.Fatal(err)
	}
	if err := f.Update(func(d *Data) bool { d.Stops = map[string]Stop{"reader": {Since: monday}}; return true }); err != nil {
		t.Fatal(err)
	}
	if stops := opened(t, path).data.Stops; len(stops) != 1 {
		t.Errorf("written without CAP_CHOWN: %v", stops)
	}
}
