//go:build linux

package bed

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestSecondDC(t *testing.T) {
	t.Parallel()
	b := started(t)
	ctx := t.Context()
	const url = "ldap://dc02.contoso.com"
	if err := b.SetCACertificates(ctx, DC2, PublishedRoot, []byte{0}); err == nil {
		t.Error("a controller that was not added can be changed")
	}
	answers(t, b, DNSInside, "dc02.contoso.com", "A", "NXDOMAIN", "")
	must(t, b.SetCACertificates(ctx, DC, PublishedRoot, []byte{0}))
	must(t, b.AddSecondDC(ctx))
	answers(t, b, DNSInside, "dc02.contoso.com", "A", "NOERROR", "192.168.7.11")
	for _, dc := range []string{"dc01", "dc02"} {
		answers(t, b, DNSInside, locatorName, "SRV", "NOERROR", "0 100 389 "+dc+".contoso.com.")
	}
	publishes(t, b, url, unchanged, "ca01.contoso.com")
	publishes(t, b, plainLDAP, func(m map[Object][][]byte) { m[PublishedRoot] = [][]byte{{0}} }, "ca01.contoso.com")
	must(t, b.RestoreDirectory(ctx))
	publishes(t, b, plainLDAP, unchanged, "ca01.contoso.com")
	must(t, b.HideCACertificates(ctx, DC2, PublishedRoot))
	publishes(t, b, url, func(m map[Object][][]byte) { m[PublishedRoot] = nil }, "ca01.contoso.com")
	must(t, b.RestoreDirectory(ctx))
	publishes(t, b, url, unchanged, "ca01.contoso.com")

	if got := signature(t, b, DC2); got != "sha1WithRSAEncryption" {
		t.Errorf("signed with %s", got)
	}
	cache, err := kinit(t, b, string(Probe), ProbePassword, "")
	must(t, err)
	env := []string{"KRB5_CONFIG=" + b.KerberosConfig(), "KRB5CCNAME=" + cache}
	if text, err := b.named(t, env, "ldapsearch", "-LLL", "-Q", "-Y", "GSSAPI", "-H", url, "-b", adBase, "-s", "base", "dc"); err != nil {
		t.Errorf("GSSAPI bind: %v %s", err, text)
	}

	must(t, b.DisableAccount(ctx))
	binds(t, b, url, probeUPN, ProbePassword, "data 533")
	must(t, b.RestoreAccounts(ctx))
	binds(t, b, url, probeUPN, ProbePassword, "")
	must(t, b.Pause(DC2))
	binds(t, b, plainLDAP, probeUPN, ProbePassword, "")
	if text, err := b.named(t, nil, "timeout", "1", "ldapsearch", "-x", "-H", url, "-b", "", "-s", "base"); err == nil || !strings.Contains(err.Error(), "exit status 124") {
		t.Errorf("a paused controller gives %v %s", err, text)
	}
	must(t, b.Resume(DC2))
	binds(t, b, url, probeUPN, ProbePassword, "")

	must(t, b.RemoveSecondDC(ctx))
	answers(t, b, DNSInside, "dc02.contoso.com", "A", "NXDOMAIN", "")
	answers(t, b, DNSInside, locatorName, "SRV", "NOERROR", "0 100 389 dc01.contoso.com.")
	if found, err := filepath.Glob(b.dc2.dir); err != nil || len(found) > 0 {
		t.Errorf("left: %v %v", found, err)
	}
	must(t, b.AddSecondDC(ctx))
	binds(t, b, url, probeUPN, ProbePassword, "")
}
