//go:build !windows

package main

import "github.com/alecthomas/kong"

// platformCommands are those that only some systems have: none here.
func platformCommands() kong.Plugins { return nil }
