//go:build unix

package labtest

import (
	"syscall"
	"testing"
	"time"
)

// CPU reports the processor time, user's and system's, that this process spends for an operation of the benchmark. Unlike
// its time it has no part of the servers', and is as long on a busy machine. Call it right before the loop, and what
// it returns after.
func CPU(b *testing.B) (done func()) {
	b.Helper()
	begun := spent(b)
	return func() { b.ReportMetric(float64((spent(b)-begun).Nanoseconds())/float64(b.N), "cpu-ns/op") }
}

func spent(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
