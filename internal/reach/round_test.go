package reach

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestPanicsReachTheProbe lets a look of a round panic, in goroutines of its own: every probe that shares it
// gets the panic in its own, where it is guarded.
func TestPanicsReachTheProbe(t *testing.T) {
	r := newRounds[int]()
	defer r.close()
	due := time.Now()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			p := caught(func() {
				_, err := r.get(t.Context(), "key", due, time.Second, func(context.Context) int {
					Parallel(2, func(i int) {
						if i == 1 {
							panic("hostile bytes")
						}
					})
					return 1
				})
				t.Errorf("no panic, %v", err)
			})
			if text, ok := p.(string); !ok || !strings.Contains(text, "hostile bytes") {
				t.Errorf("panic %v", p)
			}
		})
	}
	wg.Wait()
}
