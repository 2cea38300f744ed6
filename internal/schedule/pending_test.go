package schedule

import (
	"slices"
	"testing"
	"time"
)

func TestPending(t *testing.T) {
	p := pending{wake: make(chan struct{}, 1)}
	a, b := &judgement{}, &judgement{}
	p.add([]*judgement{a, b})
	p.add([]*judgement{b, a}) // of a second report, before anybody looked
	<-p.wake
	select {
	case <-p.wake:
		t.Error("woken twice for what is taken at once")
	default:
	}
	if got := p.take(); !slices.Equal(got, []*judgement{a, b}) {
		t.Errorf("took %d, want each once, in the order in which they came", len(got))
	}
	if got := p.take(); got != nil {
		t.Errorf("took %d again", len(got))
	}
	p.add([]*judgement{b})
	if got := p.take(); !slices.Equal(got, []*judgement{b}) {
		t.Errorf("took %d, want the one that is pending anew", len(got))
	}
}

// TestRetiredIsNotJudged: what a reload took out of the plan must not come back by a report that was under way.
func TestRetiredIsNotJudged(t *testing.T) {
	g := &judgement{Judged: &Judged{}}
	g.retire()
	(&Scheduler{}).judge(g, time.Now()) // would need a plan
	if g.set.Load() != nil {
		t.Error("a retired judgement gives series")
	}
}
