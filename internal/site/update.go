package site

import (
	"fmt"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/cx700/cx700_exporter/internal/phone"
)

const (
	maxFrontEnds = 8
	maxPaths     = 8
	// slowest still brings an image within a day, fastest is more than a gigabit.
	slowestRate = 1 << 10
	fastestRate = 1 << 30
	// defaultMAC is locally administered: no real phone has it.
	defaultMAC = "02-00-00-00-00-01"
)

var (
	acceptsForm = formOf(`^\d{1,5}(\.\d{1,5}){0,3}(\.\*)?$`)
	pathForm    = formOf(`^/[A-Za-z0-9._~/-]{1,200}$`)
	macForm     = formOf(`^[0-9A-Fa-f]{2}(-[0-9A-Fa-f]{2}){5}$`)
	wordForm    = formOf(`^[A-Za-z0-9._-]{1,63}$`)
)

// accepts reads the highest version that a firmware can install.
func (r *reader) accepts(n *yaml.Node, key string, into *string) {
	r.shaped(n, key, acceptsForm, `the highest version it can install, such as "1.0.522.*"`, into)
}

// shaped reads a value of one form.
func (r *reader) shaped(n *yaml.Node, key string, form form, wanted string, into *string) {
	v, ok := r.text(n, key, wanted)
	switch {
	case !ok:
	case !form.matches(v):
		r.fault(n, key, quoted(v)+" does not fit", "write "+wanted)
	default:
		*into = v
	}
}

func (r *reader) rate(n *yaml.Node, key string, into *int) {
	r.number(n, key, slowestRate, fastestRate, "bytes per second, such as 1048576", into)
}

// number reads a whole number from least to most.
func (r *reader) number(n *yaml.Node, key string, least, most int, wanted string, into *int) {
	v, ok := r.text(n, key, wanted)
	if !ok {
		return
	}
	number, err := strconv.Atoi(v)
	if err != nil || number < least || number > most {
		r.fault(n, key, fmt.Sprintf("%s is no number from %d to %d", quoted(v), least, most), "write "+wanted)
		return
	}
	*into = number
}

func (r *reader) frontEnds(n *yaml.Node, key string) []string {
	var out []string
	r.items(n, key, maxFrontEnds, func(n *yaml.Node, key string) {
		var host string
		r.domain(n, key, 2, &host)
		if slices.Contains(out, host) {
			r.fault(n, key, host+" is already in the list", "write each front end once")
			return
		}
		out = append(out, host)
	})
	if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		r.fault(n, key, "an empty list", "write the names of the front ends, or leave the key out to find them as phones do")
	}
	return out
}

func (r *reader) update(n *yaml.Node, key string) Update {
	var u Update
	r.fields(n, key,
		field{"credential", func(n *yaml.Node, key string) { r.credential(n, key, &u.Credential) }},
		field{"roots", func(n *yaml.Node, key string) { u.RootFiles = r.rootFiles(n, key) }},
		field{"paths", func(n *yaml.Node, key string) { u.Paths = r.filePaths(n, key) }},
		field{"post", func(n *yaml.Node, key string) { u.Post = r.post(n, key) }},
	)
	r.ntlmOverTLS(n, key, u.Credential)
	return u
}

func (r *reader) filePaths(n *yaml.Node, key string) []string {
	const wanted = "a path on the server, such as " + phone.FilesPath + phone.InterimImage
	var out []string
	r.items(n, key, maxPaths, func(n *yaml.Node, key string) {
		var path string
		r.shaped(n, key, pathForm, wanted, &path)
		out = append(out, path)
	})
	return out
}

// post reads the phone as which the exporter asks.
func (r *reader) post(n *yaml.Node, key string) UpdatePost {
	p := UpdatePost{MAC: defaultMAC, Build: phone.CX700()}
	word := func(name string, into *string) field {
		return field{name, func(n *yaml.Node, key string) {
			r.shaped(n, key, wordForm, "up to 63 letters, digits, dots, hyphens and underscores", into)
		}}
	}
	r.fields(n, key,
		field{"template", func(n *yaml.Node, key string) { r.path(n, key, &p.Template) }},
		field{"mac", func(n *yaml.Node, key string) {
			r.shaped(n, key, macForm, "an address such as "+defaultMAC, &p.MAC)
		}},
		word("serial", &p.Serial), word("vendor", &p.Vendor), word("model", &p.Model),
		word("revision", &p.Revision), word("locale", &p.Locale),
	)
	if n.Kind == yaml.MappingNode && child(n, "template") == nil {
		r.fault(n, key+".template", "missing", "write the path of the request's template, as in examples/ucdevice-request.xml")
	}
	return p
}
