package reach

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestRoundIsMadeOnce follows one key through two rounds, by fake time.
func TestRoundIsMadeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRounds[int]()
		defer r.close()
		made := 0
		find := func(context.Context) int {
			made++
			<-time.After(time.Second)
			return made
		}
		due := time.Now()
		results := make(chan int, 10)
		for range cap(results) {
			go func() {
				got, err := r.get(t.Context(), "key", due, 10*time.Second, find)
				if err != nil {
					t.Error(err)
				}
				results <- got
			}()
		}
		for range cap(results) {
			if got := <-results; got != 1 {
				t.Errorf("a probe of the round got look %d", got)
			}
		}
		get := func(key string, due time.Time) int {
			got, err := r.get(t.Context(), key, due, 10*time.Second, find)
			if err != nil {
				t.Error(err)
			}
			return got
		}
		if got := get("key", due); got != 1 {
			t.Errorf("a late probe of the round got look %d", got)
		}
		if got := get("other key", due); got != 2 {
			t.Errorf("another key got look %d", got)
		}
		if got := get("key", due.Add(time.Millisecond)); got != 3 {
			t.Errorf("a look made before it was due was given: %d", got)
		}
		<-time.After(roundKept)
		synctest.Wait()
		if len(r.looks) != 0 {
			t.Errorf("%d looks are kept", len(r.looks))
		}
	})
}

// TestRoundEndsAfterItsBudget: who waits may go earlier, the others still get what was found.
func TestRoundEndsAfterItsBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRounds[string]()
		defer r.close()
		find := func(ctx context.Context) string {
			<-ctx.Done()
			return "what there was"
		}
		begun := time.Now()
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.get(impatient, "key", begun, 5*time.Second, find); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the impatient got %v", err)
		}
		got, err := r.get(t.Context(), "key", begun, 5*time.Second, find)
		if took := time.Since(begun); got != "what there was" || err != nil || took != 5*time.Second {
			t.Errorf("%q, %v after %s", got, err, took)
		}
	})
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRounds[bool]()
		ended := false
		r.begin("key", time.Now(), time.Hour, func(ctx context.Context) bool {
			<-ctx.Done()
			ended = true
			return true
		})
		begun := time.Now()
		r.close()
		if !ended || time.Since(begun) != 0 {
			t.Errorf("ended %t after %s", ended, time.Since(begun))
		}
	})
}

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
