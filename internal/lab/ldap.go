package lab

import (
	"maps"
	"slices"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// startTLS is the extended operation that turns a plain connection into one over TLS (RFC 4511 section 4.14).
const startTLS = "1.3.6.1.4.1.1466.20037"

// query is a search request (RFC 4511 section 4.5.1), as far as the lab heeds it.
type query struct {
	base       string
	scope      int64
	filter     *ber.Packet
	attributes []string
}

// parseMessage takes an LDAP message apart: its number and its operation.
func parseMessage(p *ber.Packet) (id int64, op *ber.Packet, ok bool) {
	if len(p.Children) < 2 || p.Children[1].ClassType != ber.ClassApplication {
		return 0, nil, false
	}
	id, ok = p.Children[0].Value.(int64)
	return id, p.Children[1], ok
}

func parseQuery(op *ber.Packet) (q query, ok bool) {
	if len(op.Children) < 8 {
		return query{}, false
	}
	q = query{base: content(op.Children[0]), filter: op.Children[6]}
	for _, a := range op.Children[7].Children {
		q.attributes = append(q.attributes, content(a))
	}
	q.scope, ok = op.Children[1].Value.(int64)
	return q, ok
}

// content is what a packet holds, whatever its type says.
func content(p *ber.Packet) string { return p.Data.String() }

// outcome is an LDAP result (RFC 4511 section 4.1.9).
type outcome struct {
	code       int64
	diagnostic string
	referral   string
}

// find returns the entries that a search yields, and the naming context below to which it refers the client.
func (s *directoryState) find(q query) (found []entry, below string, result outcome) {
	parsed, err := ldap.ParseDN(q.base)
	if err != nil {
		return nil, "", outcome{code: ldap.LDAPResultInvalidDNSyntax, diagnostic: err.Error()}
	}
	base, p := parsed.String(), s.domain
	if inScope(s.configuration.dn, base, ldap.ScopeWholeSubtree) {
		p = s.configuration
	}
	exists := false
	for _, e := range p.entries {
		exists = exists || inScope(base, e.dn, ldap.ScopeBaseObject)
		if inScope(base, e.dn, q.scope) && e.matches(q.filter) {
			found = append(found, e)
		}
	}
	if !exists {
		return nil, "", outcome{code: ldap.LDAPResultNoSuchObject,
			diagnostic: "0000208D: NameErr: DSID-0310020A, problem 2001 (NO_OBJECT), data 0, best match of:\n\t''\n"}
	}
	if q.scope == ldap.ScopeWholeSubtree && inScope(base, p.below, q.scope) {
		below = p.below
	}
	return found, below, outcome{}
}

// inScope tells whether a search from base reaches a name. The lab's names hold no comma but those
// between their parts, and base is written without spaces.
func inScope(base, dn string, scope int64) bool {
	base, dn = strings.ToLower(base), strings.ToLower(dn)
	under, below := strings.CutSuffix(dn, ","+base)
	switch scope {
	case ldap.ScopeBaseObject:
		return dn == base
	case ldap.ScopeSingleLevel:
		return below && !strings.Contains(under, ",")
	default:
		return dn == base || below
	}
}

// matches tells whether an entry passes a filter (RFC 4511 section 4.5.1.7). The kinds of filter that the
// lab does not know are undefined and match nothing.
func (e entry) matches(filter *ber.Packet) bool {
	parts := filter.Children
	switch {
	case filter.ClassType != ber.ClassContext:
		return false
	case filter.Tag == ldap.FilterAnd:
		return !slices.ContainsFunc(parts, func(f *ber.Packet) bool { return !e.matches(f) })
	case filter.Tag == ldap.FilterOr:
		return slices.ContainsFunc(parts, e.matches)
	case filter.Tag == ldap.FilterNot && len(parts) == 1:
		return !e.matches(parts[0])
	case filter.Tag == ldap.FilterPresent:
		return len(e.values(content(filter))) > 0
	case filter.Tag == ldap.FilterEqualityMatch && len(parts) == 2:
		return slices.ContainsFunc(e.values(content(parts[0])), func(v string) bool {
			return strings.EqualFold(v, content(parts[1]))
		})
	}
	return false
}

func (e entry) values(attribute string) []string {
	for name, values := range e.attributes {
		if strings.EqualFold(name, attribute) {
			return values
		}
	}
	return nil
}

// packet is the entry as a search result, with the attributes that were asked for: all when none was named.
func (e entry) packet(wanted []string) *ber.Packet {
	all := len(wanted) == 0 || slices.Contains(wanted, "*")
	attributes := ber.NewSequence("")
	for _, name := range slices.Sorted(maps.Keys(e.attributes)) {
		if !all && !slices.ContainsFunc(wanted, func(w string) bool { return strings.EqualFold(w, name) }) {
			continue
		}
		values := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
		for _, v := range e.attributes[name] {
			values.AppendChild(octets(v))
		}
		attributes.AppendChild(sequence(octets(name), values))
	}
	return operation(ldap.ApplicationSearchResultEntry, octets(e.dn), attributes)
}

// reference is a search result reference: the rest is to be found there (RFC 4511 section 4.5.3).
func reference(dn string) *ber.Packet {
	return operation(ldap.ApplicationSearchResultReference, octets(referralTo(dn)))
}

// packet is the result as the response of a kind.
func (o outcome) packet(kind ber.Tag) *ber.Packet {
	code := ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, o.code, "")
	p := operation(kind, code, octets(""), octets(o.diagnostic))
	if o.referral != "" {
		const referral = 3 // its tag (RFC 4511 section 4.1.9)
		uris := ber.Encode(ber.ClassContext, ber.TypeConstructed, referral, nil, "")
		uris.AppendChild(octets(o.referral))
		p.AppendChild(uris)
	}
	return p
}

// message is an operation as it goes over the wire (RFC 4511 section 4.1.1).
func message(id int64, op *ber.Packet) []byte {
	return sequence(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""), op).Bytes()
}

func referralTo(dn string) string { return "ldap://contoso.com/" + dn }

func operation(kind ber.Tag, parts ...*ber.Packet) *ber.Packet {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, kind, nil, "")
	for _, part := range parts {
		p.AppendChild(part)
	}
	return p
}

func sequence(parts ...*ber.Packet) *ber.Packet {
	p := ber.NewSequence("")
	for _, part := range parts {
		p.AppendChild(part)
	}
	return p
}

func octets(s string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
}
