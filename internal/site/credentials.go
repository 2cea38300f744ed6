package site

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	maxAllowedHosts = 64
	maxRootFiles    = 16
	maxCAHosts      = 16
)

var (
	usernameForm = formOf(`^([^\\@/\s]+\\[^\\@/]+|[^\\@/]+@[^\\@/\s]+\.[^\\@/\s]+)$`)
	netbiosForm  = formOf(`^[A-Za-z0-9][A-Za-z0-9-]{0,14}$`)
)

// credentials reads the accounts that collectors may log on with.
func (r *reader) credentials(n *yaml.Node, key string, into map[string]*Credential) {
	r.entries(n, key, func(k, v *yaml.Node, at string) {
		if !siteNameForm.matches(k.Value) {
			r.fault(k, at, quoted(k.Value)+" cannot be a credential's name", "use up to 63 letters, digits, dots, hyphens and underscores")
			return
		}
		c := &Credential{Name: k.Value}
		into[k.Value] = c
		r.fields(v, at,
			field{"username", func(n *yaml.Node, key string) { r.username(n, key, &c.Username) }},
			field{"password_file", func(n *yaml.Node, key string) { r.path(n, key, &c.PasswordFile) }},
			field{"keytab_file", func(n *yaml.Node, key string) { r.path(n, key, &c.KeytabFile) }},
			field{"allowed_hosts", func(n *yaml.Node, key string) { c.AllowedHosts = r.allowedHosts(n, key) }},
		)
		r.credentialParts(v, at)
	})
}

// credentialParts looks for what a credential cannot do without.
func (r *reader) credentialParts(n *yaml.Node, key string) {
	if n.Kind != yaml.MappingNode {
		return
	}
	password, keytab := child(n, "password_file"), child(n, "keytab_file")
	switch {
	case password != nil && keytab != nil:
		r.fault(keytab, key+".keytab_file", "beside a password_file", "keep one of them")
	case password == nil && keytab == nil:
		r.fault(n, key, "no secret", "write password_file or keytab_file, the path of a file that only the exporter can read")
	}
	if child(n, "username") == nil {
		r.fault(n, key+".username", "missing", `write the account as user@contoso.com or CONTOSO\user`)
	}
	if child(n, "allowed_hosts") == nil {
		r.fault(n, key+".allowed_hosts", "missing", `write the servers it may be sent to, such as dc01.contoso.com or "*.contoso.com"`)
	}
}

func (r *reader) username(n *yaml.Node, key string, into *string) {
	v, ok := r.text(n, key, "an account")
	if ok && !usernameForm.matches(v) {
		// It is not shown: a password stands there now and then.
		r.fault(n, key, "names no domain", `write the account as user@contoso.com or CONTOSO\user`)
		return
	}
	*into = v
}

// path reads the path of a file; one that is relative counts from the folder of the site file.
func (r *reader) path(n *yaml.Node, key string, into *string) {
	v, ok := r.text(n, key, "the path of a file")
	switch {
	case !ok:
	case strings.ContainsAny(v, "\n\x00"):
		r.fault(n, key, "no path", "write the path of a file; a secret itself does not belong in here")
	case filepath.IsAbs(v):
		*into = v
	default:
		*into = filepath.Join(filepath.Dir(r.file), v)
	}
}

func (r *reader) allowedHosts(n *yaml.Node, key string) []string {
	var out []string
	r.items(n, key, maxAllowedHosts, func(n *yaml.Node, key string) {
		v, ok := r.text(n, key, "a host such as dc01.contoso.com")
		if !ok {
			return
		}
		rest, wild := strings.CutPrefix(v, "*.")
		name := *n
		name.Value = rest
		var host string
		r.domain(&name, key, 2, &host)
		if wild {
			host = "*." + host
		}
		out = append(out, host)
	})
	if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		r.fault(n, key, "an empty list", "write the servers the credential may be sent to")
	}
	return out
}

// credential finds the one that is named.
func (r *reader) credential(n *yaml.Node, key string, into **Credential) {
	v, ok := r.text(n, key, "the name of a credential")
	if !ok {
		return
	}
	if *into = r.known[v]; *into == nil {
		names := joined(slices.Sorted(maps.Keys(r.known)))
		if names == "" {
			r.fault(n, key, fmt.Sprintf("no credential %s", quoted(v)), "write it under credentials, at the top of the file")
			return
		}
		r.fault(n, key, fmt.Sprintf("no credential %s", quoted(v)), "write one of "+names)
	}
}

// logon reads what users type for their domain, from the form in which they type it.
func (r *reader) logon(n *yaml.Node, key string, into *string) {
	const wanted = `the form in which users log on: contoso.com\user, CONTOSO\user or user@contoso.com`
	v, ok := r.text(n, key, wanted)
	if !ok {
		return
	}
	domain, _, before := strings.Cut(v, `\`)
	if !before {
		_, domain, ok = strings.Cut(v, "@")
	}
	switch {
	case !ok || domain == "":
		r.fault(n, key, quoted(v)+" names no domain", "write "+wanted)
	case before && !strings.Contains(domain, "."):
		if !netbiosForm.matches(domain) {
			r.fault(n, key, quoted(domain)+" is no NetBIOS name", "write "+wanted)
			return
		}
		*into = strings.ToLower(domain)
	default:
		name := *n
		name.Value = domain
		r.domain(&name, key, 2, into)
	}
}

func (r *reader) directory(n *yaml.Node, key string) Directory {
	var d Directory
	r.fields(n, key,
		field{"bind", func(n *yaml.Node, key string) { choice(r, n, key, BindKinds(), &d.Bind) }},
		field{"credential", func(n *yaml.Node, key string) { r.credential(n, key, &d.Credential) }},
		field{"roots", func(n *yaml.Node, key string) { d.RootFiles = r.rootFiles(n, key) }},
	)
	named := n.Kind == yaml.MappingNode && child(n, "credential") != nil
	switch bind := child(n, "bind"); {
	case named && d.Bind == BindAnonymous:
		r.fault(bind, key+".bind", "anonymous beside a credential", "write ldaps, starttls or kerberos, or take the credential out")
	case !named && d.Bind != "" && d.Bind != BindAnonymous:
		r.fault(bind, key+".bind", string(d.Bind)+" without a credential", "name one of credentials beside it")
	case named && d.Bind == "":
		d.Bind = BindLDAPS
	}
	if d.Credential != nil && d.Credential.KeytabFile != "" && d.Bind != BindKerberos {
		r.fault(n, key+".bind", string(d.Bind)+" with a keytab", "write bind: kerberos, or give the credential a password_file")
	}
	return d
}

func (r *reader) rootFiles(n *yaml.Node, key string) []string {
	var out []string
	r.items(n, key, maxRootFiles, func(n *yaml.Node, key string) {
		var path string
		r.path(n, key, &path)
		out = append(out, path)
	})
	return out
}

func (r *reader) certsrv(n *yaml.Node, key string) Certsrv {
	var c Certsrv
	r.fields(n, key,
		field{"credential", func(n *yaml.Node, key string) { r.credential(n, key, &c.Credential) }},
		field{"ntlm_over_http", func(n *yaml.Node, key string) { r.boolean(n, key, &c.NTLMOverHTTP) }},
		field{"hosts", func(n *yaml.Node, key string) {
			r.items(n, key, maxCAHosts, func(n *yaml.Node, key string) {
				var host string
				r.domain(n, key, 2, &host)
				c.Hosts = append(c.Hosts, host)
			})
		}},
	)
	if c.NTLMOverHTTP && n.Kind == yaml.MappingNode && child(n, "credential") == nil {
		r.fault(child(n, "ntlm_over_http"), key+".ntlm_over_http", "without a credential", "name one of credentials beside it")
	}
	if c.NTLMOverHTTP && c.Credential != nil && c.Credential.KeytabFile != "" {
		r.fault(child(n, "ntlm_over_http"), key+".ntlm_over_http", "with a keytab", "NTLM needs a password; leave it out for Kerberos")
	}
	return c
}
