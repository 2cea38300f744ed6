package site

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The lengths of RSA keys that the site file may name.
const (
	fewestKeyBits = 512
	mostKeyBits   = 16384
)

// fingerprintForm is a SHA-256 in hex, with or without the colons that openssl and certutil write.
var fingerprintForm = formOf(`^([0-9A-Fa-f]{2}[: ]?){31}[0-9A-Fa-f]{2}$`)

// enrolledRoots reads the roots that enrolled phones hold: fingerprints, and paths of files.
func (r *reader) enrolledRoots(n *yaml.Node, key string) EnrolledRoots {
	const wanted = "the path of a certificate in PEM, or its SHA-256 fingerprint"
	var out EnrolledRoots
	r.items(n, key, maxRootFiles, func(n *yaml.Node, key string) {
		v, ok := r.text(n, key, wanted)
		if !ok {
			return
		}
		sum := strings.ToLower(strings.NewReplacer(":", "", " ", "").Replace(v))
		switch {
		case !fingerprintForm.matches(v) && !strings.Contains(v, ".") && !strings.ContainsAny(v, `/\`):
			r.fault(n, key, quoted(v)+" is neither a path nor a fingerprint", "write "+wanted)
		case !fingerprintForm.matches(v):
			var path string
			r.path(n, key, &path)
			out.Files = append(out.Files, path)
		case slices.Contains(out.Fingerprints, sum):
			r.fault(n, key, quoted(v)+" is already in the list", "write each root once")
		default:
			out.Fingerprints = append(out.Fingerprints, sum)
		}
	})
	if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		r.fault(n, key, "an empty list", "write "+wanted+", or leave the key out for what Active Directory publishes")
	}
	return out
}

// keyBits reads the length of an RSA key.
func (r *reader) keyBits(n *yaml.Node, key string, into *int) {
	r.number(n, key, fewestKeyBits, mostKeyBits, "a length in bits, such as 2048", into)
}
