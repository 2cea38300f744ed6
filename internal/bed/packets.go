//go:build linux

package bed

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Packets are those that arrive at a port of a host, or that come back from it.
type Packets struct {
	Host     Host
	Protocol string // tcp or udp
	Port     int
	// Answers are meant, not questions.
	Answers bool
	// Begin means those by which a TCP connection begins.
	Begin bool
}

// rule is what iptables knows them by.
func (p Packets) rule() []string {
	chain, port := "INPUT", "--dport"
	if p.Answers {
		chain, port = "OUTPUT", "--sport"
	}
	rule := []string{chain, "-p", p.Protocol, port, strconv.Itoa(p.Port)}
	if p.Begin {
		rule = append(rule, "--tcp-flags", "SYN", "SYN")
	}
	return rule
}

func (p Packets) String() string {
	what := "question to"
	if p.Answers {
		what = "answer of"
	}
	return fmt.Sprintf("%s %s, %s port %d", what, p.Host, p.Protocol, p.Port)
}

func (b *Bed) filter(ctx context.Context, host Host, args ...string) (string, error) {
	return b.run(ctx, host, "iptables", append([]string{"-w"}, args...)...)
}

// DropPackets lets all of them vanish, as a firewall does that says nothing.
func (b *Bed) DropPackets(ctx context.Context, p Packets) error {
	_, err := b.filter(ctx, p.Host, append(append([]string{"-A"}, p.rule()...), "-j", "DROP")...)
	return err
}

// RejectPackets refuses TCP connections to the port, as if nothing listened there.
func (b *Bed) RejectPackets(ctx context.Context, p Packets) error {
	_, err := b.filter(ctx, p.Host, append(append([]string{"-A"}, p.rule()...), "-j", "REJECT", "--reject-with", "tcp-reset")...)
	return err
}

// LosePacket lets the next of them vanish, and no other.
func (b *Bed) LosePacket(ctx context.Context, p Packets) error {
	const hardlyEver = "1000000000"
	_, err := b.filter(ctx, p.Host, append(append([]string{"-A"}, p.rule()...),
		"-m", "statistic", "--mode", "nth", "--every", hardlyEver, "--packet", "0", "-j", "DROP")...)
	return err
}

// LostPackets is how many have vanished, or were refused, on the host since the first of the above.
func (b *Bed) LostPackets(ctx context.Context, host Host) (int, error) {
	text, err := b.filter(ctx, host, "-L", "-v", "-n", "-x")
	if err != nil {
		return 0, err
	}
	lost := 0
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[2] != "DROP" && fields[2] != "REJECT" {
			continue
		}
		n, err := strconv.Atoi(fields[0])
		if err != nil {
			return 0, fmt.Errorf("bed: no number of packets in %q", line)
		}
		lost += n
	}
	return lost, nil
}

// HealPackets lets everything through again at the host.
func (b *Bed) HealPackets(ctx context.Context, host Host) error {
	_, err := b.filter(ctx, host, "-F")
	return err
}
