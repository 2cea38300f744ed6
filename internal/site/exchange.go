package site

import (
	"go.yaml.in/yaml/v3"
)

var (
	mailboxForm   = formOf(`^[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+$`)
	userAgentForm = formOf(`^[ -~]{1,200}$`)
	sipUserForm   = formOf(`^[A-Za-z0-9._+-]{1,64}$`)
	ewsForm       = formOf(`^https://[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+(/[A-Za-z0-9._~-]{1,63}){1,8}$`)
)

func (r *reader) exchange(n *yaml.Node, key string) Exchange {
	var e Exchange
	r.fields(n, key,
		field{"credential", func(n *yaml.Node, key string) { r.credential(n, key, &e.Credential) }},
		field{"roots", func(n *yaml.Node, key string) { e.RootFiles = r.rootFiles(n, key) }},
		field{"mailbox", func(n *yaml.Node, key string) {
			r.shaped(n, key, mailboxForm, "the e-mail address of the credential's mailbox, such as probe@fabrikam.com", &e.Mailbox)
		}},
		field{"ews_url", func(n *yaml.Node, key string) {
			r.shaped(n, key, ewsForm, "a URL such as https://mail.fabrikam.com/EWS/Exchange.asmx", &e.EWSURL)
		}},
	)
	r.ntlmOverTLS(n, key, e.Credential)
	has := func(name string) bool { return n.Kind == yaml.MappingNode && child(n, name) != nil }
	switch {
	case has("credential") && !has("mailbox"):
		r.fault(n, key+".mailbox", "missing", "write the e-mail address for whose settings the credential may ask, such as probe@fabrikam.com")
	case has("mailbox") && !has("credential"):
		r.fault(child(n, "mailbox"), key+".mailbox", "without a credential", "name one of credentials beside it")
	}
	return e
}

// ntlmOverTLS looks for what a credential that logs on by NTLM over TLS cannot be beside.
func (r *reader) ntlmOverTLS(n *yaml.Node, key string, c *Credential) {
	if c != nil && c.KeytabFile != "" {
		r.fault(child(n, "credential"), key+".credential", "with a keytab", "NTLM needs a password: give it a password_file")
	}
	if n.Kind == yaml.MappingNode && child(n, "roots") != nil && child(n, "credential") == nil {
		r.fault(child(n, "roots"), key+".roots", "without a credential", "name one of credentials beside it; nothing else is verified yet")
	}
}
