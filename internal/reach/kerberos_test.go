package reach

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/client"

	"github.com/cx700/cx700_exporter/internal/facts"
)

// TestHostileKDCs meets KDCs that are none. The library would wait by itself for as long as it likes, and
// allocate what a KDC announces.
func TestHostileKDCs(t *testing.T) {
	announce := func(size uint32) func(net.Conn) {
		return func(conn net.Conn) {
			conn.Write(binary.BigEndian.AppendUint32(nil, size))
			silence(conn)
		}
	}
	for name, serve := range map[string]func(net.Conn){
		"silent":            silence,
		"closes":            func(net.Conn) {},
		"4 GiB":             announce(1<<32 - 1),
		"less than it says": announce(100),
		"garbage":           func(conn net.Conn) { conn.Write([]byte("\x00\x00\x00\x04abcd")); silence(conn) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			way := listen(t, serve)
			const budget = 500 * time.Millisecond
			ctx, cancel := context.WithTimeout(t.Context(), budget)
			defer cancel()
			begin := time.Now()
			err := way.withKerberos(ctx, netip.MustParseAddr("192.0.2.10"), "probe@contoso.com", "", Secret{Password: planted},
				func(*client.Client) error { t.Error("logged on"); return nil })
			if kind := kindOf(t, err); kind != facts.KerberosUnavailable || strings.Contains(err.Error(), planted) {
				t.Errorf("%s: %v", kind, err)
			}
			if took := time.Since(begin); took > 4*budget {
				t.Errorf("took %s of %s", took, budget)
			}
		})
	}
}

func TestRealmCannotChangeTheConfiguration(t *testing.T) {
	for _, username := range []string{"a@b.c\n[realms]", "a@b c.d", "a@b={}.c"} {
		err := Way{}.withKerberos(t.Context(), netip.MustParseAddr("192.0.2.10"), username, "", Secret{}, nil)
		if kind := kindOf(t, err); kind != facts.KerberosUnavailable {
			t.Errorf("%q: %s", username, kind)
		}
	}
}

func TestKDCMessagesAreBounded(t *testing.T) {
	if _, err := readKDCMessage(strings.NewReader("\xff\xff\xff\xff")); err == nil {
		t.Error("4 GiB were taken")
	}
	whole := "\x00\x00\x00\x03abc"
	if m, err := readKDCMessage(strings.NewReader(whole)); err != nil || string(m) != whole {
		t.Errorf("%q, %v", m, err)
	}
	if _, err := readKDCMessage(strings.NewReader(whole[:5])); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v", err)
	}
}
