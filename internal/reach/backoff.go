package reach

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
)

// longestRest is how seldom a logon is repeated at last that does not lead to a reading: each leaves a line
// in a security log.
const longestRest = time.Hour

// harmless are the problems that end before the account is used.
var harmless = [...]facts.ControllerProblem{
	facts.ControllerUnreachable, facts.ControllerSilent, facts.ControllerMalformed, facts.TLSUntrusted, facts.TLSFailed,
	facts.CredentialUnusable, facts.Delayed,
}

// backoff spaces logons that come to nothing: after one second, two, four and so on up to an hour.
type backoff struct {
	failures int
	until    time.Time
	problem  *Problem
}

// rests tells why no logon is made now; nil when one may be.
func (b *backoff) rests(now time.Time) error {
	if b.problem == nil || !now.Before(b.until) {
		return nil
	}
	return &Problem{Kind: b.problem.Kind, Detail: fmt.Sprintf("%s; next logon at %s", b.problem.Detail, b.until.UTC().Format(time.TimeOnly+" UTC"))}
}

// note counts what came of a logon. Refusals of the account are the guard's.
func (b *backoff) note(now time.Time, err error) {
	var p *Problem
	if !errors.As(err, &p) {
		*b = backoff{}
		return
	}
	if slices.Contains(harmless[:], p.Kind) || slices.Contains(refusals[:], p.Kind) {
		return
	}
	rest := min(longestRest, time.Second<<min(b.failures, 20))
	*b = backoff{failures: b.failures + 1, until: now.Add(rest), problem: p}
}
