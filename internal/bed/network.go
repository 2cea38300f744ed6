//go:build linux

package bed

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

const (
	insideNet  = "192.168.7."
	outsideNet = "203.0.113."
)

// The bridges of the two segments, in namespaces of their own.
const (
	insideBridge  Host = "br-in"
	outsideBridge Host = "br-out"
)

// plug is one network card: a host's address on a segment.
type plug struct {
	host   Host
	bridge Host
	addr   string
	card   string
}

// plugs lists all network cards.
var plugs = []plug{
	{DC, insideBridge, insideNet + "10", "eth0"},
	{DC2, insideBridge, insideNet + "11", "eth0"},
	{CA, insideBridge, insideNet + "15", "eth0"},
	{DHCP, insideBridge, insideNet + "2", "eth0"},
	{DHCP2, insideBridge, insideNet + "3", "eth0"},
	{DNSInside, insideBridge, insideNet + "5", "eth0"},
	{DNSInside2, insideBridge, insideNet + "6", "eth0"},
	{NTPInside, insideBridge, insideNet + "20", "eth0"},
	{Pool, insideBridge, insideNet + "81", "eth0"},
	{FrontEnd2, insideBridge, insideNet + "83", "eth0"},
	{Mail, insideBridge, insideNet + "82", "eth0"},
	{Monitor, insideBridge, insideNet + "200", "eth0"},
	{DNSOutside, outsideBridge, outsideNet + "5", "eth0"},
	{NTPOutside, outsideBridge, outsideNet + "20", "eth0"},
	{Edge, outsideBridge, outsideNet + "81", "eth0"},
	{ReverseProxy, outsideBridge, outsideNet + "6", "eth0"},
	{WebOutside, outsideBridge, outsideNet + "7", "eth0"},
	{MailOutside, outsideBridge, outsideNet + "82", "eth0"},
	{Monitor, outsideBridge, outsideNet + "200", "eth1"},
}

// ownName matches the namespaces of this package: process and bed number.
var ownName = regexp.MustCompile(`^cx(\d+)n\d+-`)

// address returns a host's first address.
func address(host Host) string {
	for _, p := range plugs {
		if p.host == host {
			return p.addr
		}
	}
	return ""
}

// namespace names a host's namespace.
func (b *Bed) namespace(host Host) string {
	return b.prefix + string(host)
}

// batch feeds commands to one run of ip.
func batch(ctx context.Context, lines []string, args ...string) error {
	cmd := exec.CommandContext(ctx, locate("ip"), append(args, "-batch", "-")...)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	_, err := output(cmd)
	return err
}

// makeNetwork makes the namespaces and the two segments. The cards are made
// inside the namespaces, so the machine's own network never sees them.
func (b *Bed) makeNetwork(ctx context.Context) error {
	setup := map[Host][]string{
		insideBridge:  {"link add br0 type bridge", "link set br0 up"},
		outsideBridge: {"link add br0 type bridge", "link set br0 up"},
	}
	var cards []string
	for _, p := range plugs {
		port := string(p.host)
		cards = append(cards, fmt.Sprintf("link add name %s netns %s type veth peer name %s netns %s",
			p.card, b.namespace(p.host), port, b.namespace(p.bridge)))
		setup[p.host] = append(setup[p.host],
			fmt.Sprintf("addr add %s/24 dev %s", p.addr, p.card), "link set "+p.card+" up")
		setup[p.bridge] = append(setup[p.bridge], "link set "+port+" master br0 up")
	}
	var names []string
	for host := range setup {
		names = append(names, "netns add "+b.namespace(host))
	}
	if err := batch(ctx, append(names, cards...)); err != nil {
		return err
	}
	var steps []func() error
	for host, lines := range setup {
		steps = append(steps, func() error {
			return errors.Join(
				batch(ctx, append(lines, "link set lo up"), "-n", b.namespace(host)),
				b.unlimitedRefusals(ctx, host),
			)
		})
	}
	return together(steps)
}

// unlimitedRefusals lets a closed port of the host always say so: by default
// the kernel sends only one "port unreachable" a second.
func (b *Bed) unlimitedRefusals(ctx context.Context, host Host) error {
	_, err := b.run(ctx, host, "sh", "-c", "echo 0 >/proc/sys/net/ipv4/icmp_ratelimit")
	return err
}

// removeStale removes the namespaces of dead processes and, before this
// process has any, those of an earlier one which had the same process id.
func removeStale(ctx context.Context, haveNone bool) error {
	return removeNamespaces(ctx, func(name string) bool {
		parts := ownName.FindStringSubmatch(name)
		if parts == nil {
			return false
		}
		pid, err := strconv.Atoi(parts[1])
		if err != nil {
			return false
		}
		if pid == os.Getpid() {
			return haveNone
		}
		return !alive(pid)
	})
}

// alive tells whether a process runs; one which only waits to be collected
// by its parent does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	state := stat[strings.LastIndexByte(string(stat), ')')+1:]
	return !strings.HasPrefix(string(state), " Z") && !strings.HasPrefix(string(state), " X")
}

// removeNamespaces removes the chosen namespaces with all that runs in them.
func removeNamespaces(ctx context.Context, chosen func(name string) bool) error {
	list, err := output(exec.CommandContext(ctx, locate("ip"), "netns", "list"))
	if err != nil {
		return err
	}
	var steps []func() error
	lines := bufio.NewScanner(strings.NewReader(list))
	for lines.Scan() {
		name, _, _ := strings.Cut(lines.Text(), " ")
		if chosen(name) {
			steps = append(steps, func() error { return removeNamespace(ctx, name) })
		}
	}
	return together(steps)
}

// removeNamespace kills the processes of a namespace and deletes it. That it
// is gone already, removed by another process, is no error.
func removeNamespace(ctx context.Context, name string) error {
	pids, err := output(exec.CommandContext(ctx, locate("ip"), "netns", "pids", name))
	if err == nil {
		for _, field := range strings.Fields(pids) {
			if pid, err := strconv.Atoi(field); err == nil && pid > 1 && pid != os.Getpid() {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		_, err = output(exec.CommandContext(ctx, locate("ip"), "netns", "delete", name))
	}
	if _, gone := os.Stat("/run/netns/" + name); errors.Is(gone, os.ErrNotExist) {
		return nil
	}
	return err
}
