package lab

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.yaml.in/yaml/v3"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func started(t *testing.T, n int) *Lab {
	t.Helper()
	l, err := Start(n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestSites(t *testing.T) {
	l := started(t, 3)
	if got, want := l.Sites(), []string{"headquarters", "branch-002", "branch-003"}; !slices.Equal(got, want) {
		t.Errorf("sites %v, want %v", got, want)
	}
}

func TestStartRefusesOtherSizes(t *testing.T) {
	for _, n := range []int{-1, 0, MaxSites + 1} {
		if _, err := Start(n); err == nil {
			t.Errorf("a lab with %d sites started", n)
		}
	}
}

func TestStartsQuickly(t *testing.T) {
	const tries, limit = 5, 100 * time.Millisecond
	best := time.Hour
	for range tries {
		begin := time.Now()
		l, err := Start(1)
		best = min(best, time.Since(begin))
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if best > limit {
		t.Errorf("one site took %s to start, want at most %s", best, limit)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	existing := goleak.IgnoreCurrent()
	l, err := Start(20)
	if err != nil {
		t.Fatal(err)
	}
	// Connections that are left open must not keep the lab from closing.
	o := l.offices[0]
	for _, address := range []netip.AddrPort{
		o.resolvers[inside1].address, o.controller.address, o.controller.secure, o.certsrv.address,
		o.frontEnds[firstFrontEnd].address, o.proxy.address,
	} {
		conn, err := net.Dial("tcp", address.String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	for range 2 {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	goleak.VerifyNone(t, existing)
}

func BenchmarkStart(b *testing.B) {
	for _, sites := range []int{1, 100, MaxSites} {
		b.Run(strconv.Itoa(sites), func(b *testing.B) {
			for b.Loop() {
				l, err := Start(sites)
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if err := l.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

func TestManySites(t *testing.T) {
	l := started(t, 200)
	last := l.offices[199]
	if got := ask(t, last.resolvers[inside1], "udp", "sip.fabrikam.com.", "A"); got != "10.70.199.81" {
		t.Errorf("the last site answers %q", got)
	}
}

func TestSiteFile(t *testing.T) {
	l := started(t, 2)
	o := l.offices[1]
	file := string(l.SiteFile())
	for _, line := range []string{
		"  - name: headquarters",
		"  - name: branch-002",
		"    smtp_domain: fabrikam.com",
		"        resolvers: [10.70.1.5, 10.70.1.6]",
		"        front_ends: [pool01.contoso.com, fe02.contoso.com]",
		"        resolvers: [198.18.0.2]",
		fmt.Sprintf(`          - "10.70.1.5:53:%s"`, o.resolvers[inside1].address),
		fmt.Sprintf(`          - "10.70.1.6:53:%s"`, o.resolvers[inside2].address),
		fmt.Sprintf(`          - "10.70.1.20:123:%s"`, o.clocks[insideClock].address),
		fmt.Sprintf(`          - "10.70.1.10:389:%s"`, o.controller.address),
		fmt.Sprintf(`          - "10.70.1.10:636:%s"`, o.controller.secure),
		fmt.Sprintf(`          - "10.70.1.15:80:%s"`, o.certsrv.address),
		fmt.Sprintf(`          - "10.70.1.81:80:%s"`, o.frontEnds[firstFrontEnd].address),
		fmt.Sprintf(`          - "10.70.1.83:80:%s"`, o.frontEnds[secondFrontEnd].address),
		fmt.Sprintf(`          - "203.0.113.6:443:%s"`, o.proxy.address),
		fmt.Sprintf(`          - "198.18.0.2:53:%s"`, o.resolvers[outside].address),
		fmt.Sprintf(`          - "203.0.113.20:123:%s"`, o.clocks[outsideClock].address),
	} {
		if strings.Count(file, line+"\n") < 1 {
			t.Errorf("no line %q in\n%s", line, file)
		}
	}
	if got := strings.Count(file, `- "::127.0.0.1:9"`); got != 4 {
		t.Errorf("%d entries that keep the rest on loopback, want one for each of 4 networks", got)
	}
}

func TestSiteFileNamesFiles(t *testing.T) {
	l, err := Start(1)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var file struct {
		Credentials map[string]struct {
			PasswordFile string `yaml:"password_file"`
		}
		Sites []struct {
			Networks map[string]struct{ Directory struct{ Roots []string } }
		}
	}
	if err := yaml.Unmarshal(l.SiteFile(), &file); err != nil {
		t.Fatal(err)
	}
	passwordFile := file.Credentials["headquarters"].PasswordFile
	rootFile := file.Sites[0].Networks["internal"].Directory.Roots[0]
	password, err := os.ReadFile(passwordFile)
	if err != nil || strings.TrimSpace(string(password)) != accountPassword {
		t.Errorf("password file: %q, %v", password, err)
	}
	root, err := os.ReadFile(rootFile)
	if err != nil {
		t.Error(err)
	}
	if block, _ := pem.Decode(root); block == nil || string(block.Bytes) != rootCertificate {
		t.Errorf("the file with the root holds %q", root)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(passwordFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder outlives the lab: %v", err)
	}
}

func TestAddressesAreUnique(t *testing.T) {
	seen := map[string]int{}
	for i := range MaxSites {
		for _, a := range []string{insideAddress(i, 5).String(), outsideResolver(i).String()} {
			if other, again := seen[a]; again {
				t.Fatalf("sites %d and %d both have %s", other, i, a)
			}
			seen[a] = i
		}
	}
}
