//go:build linux

package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cx700/cx700_exporter/internal/bed"
)

// notOfTheGuide are the ports to which the guide's site file leads nobody; by TCP DNS is asked after a truncated answer.
func notOfTheGuide() []string { return []string{"udp 67", "udp 137", "tcp 88", "tcp 53"} }

var acceptedPackets = regexp.MustCompile(`(?m)^\s*(\d+)\s+\d+\s+ACCEPT\s+(?:udp|tcp|6|17)\s.*(udp|tcp) dpt:(\d+)`)

// TestRealPorts lets the exporter's machine send to the ports of docs/network.md and to no other: all is well then, and
// nothing was sent elsewhere. TestNetworkDoc holds the page to the chart, whose list is taken here.
func TestRealPorts(t *testing.T) {
	r := newRig(t)
	policy, err := os.ReadFile("../../helm/cx700-exporter/templates/networkpolicy.yaml")
	must(t, err)
	filter := func(args ...string) string {
		out, err := r.Command(t.Context(), bed.Monitor, "iptables", append([]string{"-w"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("iptables %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	filter("-A", "OUTPUT", "-o", "lo", "-j", "ACCEPT")
	var opened []string
	for _, m := range policyPort.FindAllStringSubmatch(string(policy), -1) {
		port, protocol := m[1], strings.ToLower(m[2])
		opened = append(opened, protocol+" "+port)
		filter("-A", "OUTPUT", "-p", protocol, "--dport", port, "-j", "ACCEPT")
	}
	filter("-A", "OUTPUT", "-j", "DROP")
	r.serve(t, siteFile(t, r.guideSite(t, "1s"))).healthy(t)
	lost, err := r.LostPackets(t.Context(), bed.Monitor)
	must(t, err)
	seen := filter("-L", "OUTPUT", "-v", "-n", "-x")
	if lost > 0 {
		t.Errorf("%d packets were for other ports:\n%s", lost, seen)
	}
	used := map[string]bool{}
	for _, m := range acceptedPackets.FindAllStringSubmatch(seen, -1) {
		used[m[2]+" "+m[3]] = m[1] != "0"
	}
	for _, port := range opened {
		if want := !slices.Contains(notOfTheGuide(), port); used[port] != want {
			t.Errorf("%s: used %t, want %t", port, used[port], want)
		}
	}
	if t.Failed() {
		t.Log(fmt.Sprint(opened), seen)
	}
}
