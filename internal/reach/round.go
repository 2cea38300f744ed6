package reach

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// roundKept is how long a finished look is kept for the other probes of its round, which are due at the
// same moment but may have to wait for a worker.
const roundKept = 5 * time.Second

// rounds makes a look once for all probes that need the same one at the same time.
type rounds[T any] struct {
	// inTurn makes looks with one key follow each other; all who wait share the next.
	inTurn bool

	ctx    context.Context
	cancel context.CancelFunc
	mu     sync.Mutex
	looks  map[string]*look[T]
	wg     sync.WaitGroup
}

type look[T any] struct {
	started time.Time // zero while it waits for its turn
	done    chan struct{}
	// result and panic are set when done is closed.
	result T
	panic  any
}

func newRounds[T any]() *rounds[T] {
	ctx, cancel := context.WithCancel(context.Background())
	return &rounds[T]{ctx: ctx, cancel: cancel, looks: map[string]*look[T]{}}
}

// close ends the looks under way and waits for them. No more are made.
func (r *rounds[T]) close() {
	r.mu.Lock()
	r.cancel()
	r.mu.Unlock()
	r.wg.Wait()
}

var errClosed = errors.New("the exporter is stopping")

// get returns what find finds out, or what it found out for another probe of the round, if that began at
// due or later. The look ends after budget with what it has; the error is the context's, or errClosed.
func (r *rounds[T]) get(ctx context.Context, key string, due time.Time, budget time.Duration, find func(context.Context) T) (T, error) {
	l := r.begin(key, due, budget, find)
	if l == nil {
		var none T
		return none, errClosed
	}
	select {
	case <-l.done:
		if l.panic != nil {
			panic(l.panic) // in a probe, which is guarded
		}
		if r.ctx.Err() != nil { // what was found was cut off
			var none T
			return none, errClosed
		}
		return l.result, nil
	case <-ctx.Done():
		var none T
		return none, fmt.Errorf("waiting for the probes of the same round: %w", ctx.Err())
	}
}

func (r *rounds[T]) begin(key string, due time.Time, budget time.Duration, find func(context.Context) T) *look[T] {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() != nil {
		return nil
	}
	before := r.looks[key]
	if before != nil && (before.started.IsZero() || !before.started.Before(due)) {
		return before // one that has not started yet starts after due
	}
	l := &look[T]{done: make(chan struct{})}
	r.looks[key] = l
	if before == nil || !r.inTurn {
		l.started = time.Now()
	}
	r.wg.Go(func() {
		if r.inTurn && before != nil {
			<-before.done
			r.mu.Lock()
			l.started = time.Now()
			r.mu.Unlock()
		}
		ctx, cancel := context.WithTimeout(r.ctx, budget)
		defer cancel()
		l.panic = caught(func() { l.result = find(ctx) })
		close(l.done)
		time.AfterFunc(roundKept, func() { r.forget(key, l) })
	})
	return l
}

func (r *rounds[T]) forget(key string, l *look[T]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.looks[key] == l {
		delete(r.looks, key)
	}
}
