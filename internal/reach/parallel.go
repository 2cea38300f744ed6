package reach

import (
	"fmt"
	"runtime/debug"
	"sync"
)

// Parallel does something for each of n at the same time and waits. A panic of one goes on in the caller's
// goroutine, where probes are guarded; in a goroutine of its own it would end the program.
func Parallel(n int, do func(i int)) {
	var wg sync.WaitGroup
	panics := make([]any, n)
	for i := range n {
		wg.Go(func() { panics[i] = caught(func() { do(i) }) })
	}
	wg.Wait()
	for _, p := range panics {
		if p != nil {
			panic(p)
		}
	}
}

// caught returns what a function panics with, with the place, or nil.
func caught(do func()) (p any) {
	defer func() {
		if p = recover(); p != nil {
			p = fmt.Sprintf("%v\n%s", p, debug.Stack())
		}
	}()
	do()
	return nil
}
