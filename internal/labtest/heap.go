package labtest

import "runtime"

// HeapInUse is how many bytes are still needed, for benchmarks of what is held.
func HeapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
