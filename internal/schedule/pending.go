package schedule

import (
	"context"
	"sync"
	"time"
)

// pending are the judgements of which some report is new. A target that thousands of sites share makes all of theirs
// pending; those of one round come together, and each is judged once for all of them.
type pending struct {
	mu   sync.Mutex
	all  []*judgement
	wake chan struct{}
}

func (p *pending) add(some []*judgement) {
	p.mu.Lock()
	for _, g := range some {
		if !g.pending {
			g.pending = true
			p.all = append(p.all, g)
		}
	}
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *pending) take() []*judgement {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.all
	p.all = nil
	for _, g := range out {
		g.pending = false
	}
	return out
}

// judgePending judges what is pending, until the context ends.
func (s *Scheduler) judgePending(ctx context.Context) {
	for {
		select {
		case <-s.pending.wake:
		case <-ctx.Done():
			return
		}
		for _, g := range s.pending.take() {
			if ctx.Err() != nil {
				return
			}
			s.judge(g, time.Now())
		}
	}
}
