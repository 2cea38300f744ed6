//go:build linux

package bed

import (
	"bytes"
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// published reads all objects as Probe does with ldapsearch: the values of
// cACertificate by object, and the names of enrolment hosts.
func published(t *testing.T, b *Bed, url string) (certificates map[Object][][]byte, hosts []string) {
	t.Helper()
	text, err := b.named(t, nil, "ldapsearch", "-LLL", "-x", "-o", "ldif-wrap=no", "-H", url,
		"-D", probeUPN, "-w", ProbePassword, "-b", "CN=Configuration,"+adBase,
		"(|(objectClass=certificationAuthority)(objectClass=pKIEnrollmentService))", "cACertificate", "dNSHostName")
	must(t, err)
	certificates = make(map[Object][][]byte)
	var object Object
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch name {
		case "dn":
			object = Object(strings.TrimSuffix(value, ","+keyServices))
			certificates[object] = nil
		case "cACertificate:":
			der, err := base64.StdEncoding.DecodeString(value)
			must(t, err)
			certificates[object] = append(certificates[object], der)
		case "dNSHostName":
			hosts = append(hosts, value)
		}
	}
	return certificates, hosts
}

// publishes compares what Probe sees with the default objects after a change.
func publishes(t *testing.T, b *Bed, url string, change func(map[Object][][]byte), wantHosts ...string) {
	t.Helper()
	root, err := b.Root()
	must(t, err)
	want := make(map[Object][][]byte)
	for _, o := range defaultObjects() {
		want[o] = [][]byte{root}
	}
	change(want)
	got, hosts := published(t, b, url)
	for o := range maps.Keys(got) {
		slices.SortFunc(got[o], bytes.Compare)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantHosts, hosts); diff != "" {
		t.Errorf("enrolment hosts (-want +got):\n%s", diff)
	}
}

func unchanged(map[Object][][]byte) {}

func TestDirectory(t *testing.T) {
	t.Parallel()
	b := started(t)
	ctx := t.Context()
	const ca = "ca01.contoso.com"
	root, err := b.Root()
	must(t, err)
	other, err := b.OtherRoot()
	must(t, err)
	if bytes.Equal(root, other) {
		t.Error("the other root is the same")
	}
	set := func(values ...[]byte) func() error {
		return func() error { return b.SetCACertificates(ctx, DC, PublishedRoot, values...) }
	}
	garbage := []byte{0x30, 0x82, 0xff}
	const second = Object("CN=SecondCA,CN=Certification Authorities")
	faults := []struct {
		name  string
		do    func() error
		see   func(map[Object][][]byte)
		hosts []string
	}{
		{"empty", set([]byte{0}), func(m map[Object][][]byte) { m[PublishedRoot] = [][]byte{{0}} }, []string{ca}},
		{"garbage", set(garbage), func(m map[Object][][]byte) { m[PublishedRoot] = [][]byte{garbage} }, []string{ca}},
		{"two values", set([]byte{0}, root), func(m map[Object][][]byte) { m[PublishedRoot] = [][]byte{{0}, root} }, []string{ca}},
		{"another CA", set(other), func(m map[Object][][]byte) { m[PublishedRoot] = [][]byte{other} }, []string{ca}},
		{
			"hidden", func() error { return b.HideCACertificates(ctx, DC, PublishedRoot) },
			func(m map[Object][][]byte) { m[PublishedRoot] = nil }, []string{ca},
		},
		{
			"deleted", func() error { return b.DeleteObject(ctx, DC, PublishedRoot) },
			func(m map[Object][][]byte) { delete(m, PublishedRoot) }, []string{ca},
		},
		{
			"AIA empty", func() error { return b.SetCACertificates(ctx, DC, PublishedAIA, []byte{0}) },
			func(m map[Object][][]byte) { m[PublishedAIA] = [][]byte{{0}} }, []string{ca},
		},
		{
			"NTAuth deleted", func() error { return b.DeleteObject(ctx, DC, NTAuth) },
			func(m map[Object][][]byte) { delete(m, NTAuth) }, []string{ca},
		},
		{
			"second CA", func() error { return b.CreateObject(ctx, DC, second, other) },
			func(m map[Object][][]byte) { m[second] = [][]byte{other} }, []string{ca},
		},
		{
			"enrolment deleted", func() error { return b.DeleteObject(ctx, DC, Enrollment) },
			func(m map[Object][][]byte) { delete(m, Enrollment) }, nil,
		},
		{"no enrolment host", func() error { return b.DropEnrollmentHost(ctx, DC) }, unchanged, nil},
		{
			"other enrolment host", func() error { return b.SetEnrollmentHost(ctx, DC, "ca02.contoso.com") },
			unchanged, []string{"ca02.contoso.com"},
		},
	}
	publishes(t, b, plainLDAP, unchanged, ca)
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			must(t, f.do())
			publishes(t, b, plainLDAP, f.see, f.hosts...)
			must(t, b.RestoreDirectory(ctx))
			publishes(t, b, plainLDAP, unchanged, ca)
		})
	}
	for name, without := range map[string]func(Host) error{"paused": b.Pause, "killed": b.Kill} {
		t.Run(name, func(t *testing.T) {
			must(t, without(DC))
			must(t, b.SetCACertificates(ctx, DC, PublishedRoot, []byte{0}))
			must(t, b.HealDC(ctx, DC))
			publishes(t, b, plainLDAP, func(m map[Object][][]byte) { m[PublishedRoot] = [][]byte{{0}} }, ca)
			must(t, b.RestoreDirectory(ctx))
		})
	}
}
