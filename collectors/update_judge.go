package collectors

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/site"
)

// judgeUpdate says in which ways phones get no answer, or none that helps them.
func judgeUpdate(t *Target, u *facts.Update) []*Failure {
	found := findings{}
	resolved := false
	count := counted(t, u)
	for i := range u.Servers {
		s := &u.Servers[i]
		if r, text := updateServerReason(t, s); r != nil && (slices.Contains(count, s) || r == reasonUpdateUnresolved) {
			found.add(r, s.Host+": "+text)
		}
		judgePosts(s, found)
		if r, text := updateLogonReason(t, s); r != nil {
			found.add(r, s.Host+": "+text)
		}
		l, settled := nameView{s.Names}.lookup(s.Host, phone.A)
		resolved = resolved || !settled || !l.None()
		for _, a := range updateAnswers(t, s) {
			judgeResponse(t, s, &a, found)
		}
	}
	if !resolved && found[reasonUpdateUnresolved] == nil {
		found.add(reasonUpdateUnresolved, "no name of the update service has an address")
	}
	judgeDifferences(t, u, found)
	for _, host := range u.LeftOut {
		found.add(reasonUpdateLeftOut, host)
	}
	return found.failures(Update().Reasons)
}

// updateServerReason says what is to be said of one server's answer to somebody who does not log on.
func updateServerReason(t *Target, s *facts.UpdateServer) (r *Reason, seen string) {
	l, settled := nameView{s.Names}.lookup(s.Host, phone.A)
	switch {
	case !settled:
		return reasonUpdateNamesUnanswered, "no resolver answers its name"
	case l.None() && s.Spare:
		return nil, ""
	case l.None():
		return reasonUpdateUnresolved, "A " + string(l.Outcome)
	case t.Network == site.External && s.Secure != nil && cutOff(s.Phone):
		return reasonUpdateHardened, cutOffText(s.Phone, &s.Secure.WebAnswer)
	case t.Network == site.External && s.Secure != nil:
		return outsideReason(s.Secure), updateText(s.Secure)
	case s.Plain == nil:
		return reasonUpdateSilent, "no time was left to ask"
	}
	r = insideReason(s.Plain)
	if r == nil {
		return nil, ""
	}
	if s.Secure != nil && s.Secure.Response != nil && s.Plain.Status < http.StatusInternalServerError {
		return reasonUpdateHTTPSOnly, updateText(s.Plain) + "; " + updateText(s.Secure)
	}
	return r, updateText(s.Plain)
}

// cutOff tells whether a server that clients of today get through to ends what phones begin.
func cutOff(phone *facts.Handshake) bool {
	return phone != nil && phone.Problem != "" && phone.Problem != facts.HandshakeUnreachable
}

// cutOffText says what phones meet there, and what works.
func cutOffText(phone *facts.Handshake, ours *facts.WebAnswer) string {
	return fmt.Sprintf("at %s: %s: %s; %s works", ours.Address, phone.Problem, phone.Detail, ours.TLS)
}

func insideReason(a *facts.UpdateAnswer) *Reason {
	switch {
	case a.Status == http.StatusUnauthorized:
		return reasonUpdateLogonWanted
	case isRedirect(a.Status) && leadsToHTTPS(a.Location):
		return reasonUpdateHTTPSOnly
	}
	return updateAnswerReason(a)
}

func outsideReason(a *facts.UpdateAnswer) *Reason {
	switch {
	case a.Status == http.StatusUnauthorized && reach.OffersNTLM(a.WebAnswer):
		return nil
	case a.Status == http.StatusUnauthorized:
		return reasonUpdateNoNTLM
	case a.Status == http.StatusOK && a.Response != nil:
		return reasonUpdateAnonymous
	}
	return updateAnswerReason(a)
}

// updateAnswerReason says what is to be said of an answer on either side.
func updateAnswerReason(a *facts.UpdateAnswer) *Reason {
	switch {
	case a.Problem != "":
		return updateProblems[a.Problem]
	case a.Status == http.StatusOK && a.Response != nil:
		return nil
	case a.Status == http.StatusOK:
		return reasonUpdateUnparsable
	default:
		return updateStatuses.of(a.Status)
	}
}

func isRedirect(status int) bool {
	return status >= http.StatusMultipleChoices && status < http.StatusBadRequest
}

func leadsToHTTPS(location string) bool {
	to, err := url.Parse(location)
	return err == nil && strings.EqualFold(to.Scheme, "https")
}

// updateLogonReason says what came of our own logon.
func updateLogonReason(t *Target, s *facts.UpdateServer) (r *Reason, seen string) {
	l := s.Logon
	if l == nil {
		return nil, ""
	}
	if r := webLogonReason(l.Logon); r != nil {
		return r, l.Detail
	}
	for i := range l.Answers {
		if r := updateAnswerReason(&l.Answers[i]); r != nil && l.Answers[i].Firmware == "" {
			return r, "logged on with " + t.Update.Credential.Name + ": " + updateText(&l.Answers[i])
		}
	}
	return nil, ""
}

// webLogonReason says why a logon by NTLM over TLS came to nothing, nil when it did not.
func webLogonReason(l facts.Logon) *Reason {
	return ntlmReason(l, reasonUpdateUntrusted, reasonUpdateLogonFailed)
}

// ntlmReason is webLogonReason for servers of any kind.
func ntlmReason(l facts.Logon, untrusted, failed *Reason) *Reason {
	switch {
	case l.Problem == "":
		return nil
	case slices.Contains(updateLogonProblems[:], l.Problem):
		return logonReasons[l.Problem]
	case l.Problem == facts.TLSUntrusted:
		return untrusted
	default:
		return failed
	}
}

// judgeResponse looks at what one answer says.
func judgeResponse(t *Target, s *facts.UpdateServer, a *facts.UpdateAnswer, found findings) {
	host := s.Host
	if now := a.Response.CurrentTime; !now.IsZero() {
		if off := phone.ClockError(now, a.At); off.Abs() > maxUpdateClock {
			found.add(reasonUpdateClockOff, fmt.Sprintf("%s: CurrentTime %s, off by about %s", host, now.Format(time.DateTime), off.Round(time.Minute)))
		}
	}
	if a.Response.NumOfFiles > 0 && len(a.Response.Files) == 0 {
		found.add(reasonUpdateNotUnderstood, fmt.Sprintf("%s: NumOfFiles is %d, but no FileName is in the answer", host, a.Response.NumOfFiles))
	}
	for _, f := range a.Response.Files {
		judgeBaseURLs(t, host, f, found)
	}
	for _, fw := range t.Firmware {
		if a.Firmware == "" && !posted(s, fw) || a.Firmware == fw.Version {
			judgeLadder(host, fw, a.Response.Files, found)
		}
	}
}

// posted tells whether the server was asked as a firmware, so that what it says to nobody does not count for that.
func posted(s *facts.UpdateServer, fw phone.Firmware) bool {
	answers := slices.Clone(s.Posts)
	if s.Logon != nil {
		answers = append(answers, s.Logon.Answers...)
	}
	return slices.ContainsFunc(answers, func(a facts.UpdateAnswer) bool { return a.Firmware == fw.Version && a.Response != nil })
}

// judgePosts says where the answer to a POST is of no use, although the one to a GET is. The template is not verified,
// so that this is no fault of the server's.
func judgePosts(s *facts.UpdateServer, found findings) {
	posts := slices.Clone(s.Posts)
	if s.Logon != nil {
		posts = append(posts, s.Logon.Answers...)
	}
	for i := range posts {
		p := &posts[i]
		r := updateAnswerReason(p)
		switch {
		case p.Firmware == "" || r == nil:
		case p.Problem == facts.WebBadRequest:
			found.add(reasonUpdateTemplate, p.Detail)
		default:
			found.add(reasonUpdatePostRefused, fmt.Sprintf("%s, as firmware %s: %s", s.Host, p.Firmware, updateText(p)))
		}
	}
}

func judgeBaseURLs(t *Target, host string, f phone.UpdateFile, found findings) {
	switch {
	case t.Network != site.Internal:
	case !f.BaseURLTold:
		found.add(reasonUpdateNotUnderstood, host+": no element BaseURL is found for "+f.Names()[0])
	case f.BaseURL == "":
		found.add(reasonBaseURLBlank, host+": no BaseURL beside "+f.Names()[0])
	}
	switch {
	case !f.ExternalBaseURLTold:
		found.add(reasonUpdateNotUnderstood, host+": no element ExternalBaseURL is found for "+f.Names()[0])
	case f.ExternalBaseURL == "":
		found.add(reasonExternalBaseURLBlank, host+": no ExternalBaseURL beside "+f.Names()[0])
	}
}

// judgeLadder tells whether a firmware can install one of the versions of an answer to it. A GET does not
// tell to whom a version is offered: to all, unless another of its versions is a step that the firmware can take.
func judgeLadder(host string, fw phone.Firmware, files []phone.UpdateFile, found findings) {
	highest := ""
	for _, f := range files {
		v := f.Version()
		if !f.ForBuild(phone.CX700()) {
			continue
		}
		if v != "" && fw.Takes(v) && phone.CompareVersions(v, fw.Version) > 0 {
			return
		}
		if !fw.Takes(v) && phone.CompareVersions(v, highest) > 0 {
			highest = v
		}
	}
	if highest != "" {
		found.add(reasonLadderUnreachable, fmt.Sprintf("%s: offers %s, firmware %s takes nothing above %s", host, highest, fw.Version, fw.Accepts))
	}
}
