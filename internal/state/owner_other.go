//go:build !unix

package state

import "os"

// keepOwner does nothing: the file inherits what its folder grants.
func keepOwner(*os.File, string) error { return nil }
