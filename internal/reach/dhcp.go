package reach

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/site"
)

const (
	dhcpServerPort = 67
	dhcpClientPort = 68
	// leaseWait is for one packet and its answers; a question is put twice, lest a lost packet be a finding.
	leaseWait     = 2 * time.Second
	leaseAttempts = 2
	// maxLeaseAnswers bounds how many servers are heard in answer to a broadcast.
	maxLeaseAnswers = 16
	// leasePacket is more than a datagram on Ethernet. Servers are told that they may use all of it, lest they
	// put options elsewhere (RFC 2132 section 9.3).
	leasePacket = 1500
)

// Leases asks DHCP servers what they hand out: one after the other where they are the same, since all answers
// come to one port.
type Leases struct {
	rounds *rounds[[]facts.LeaseAnswer]
}

// NewLeases returns a Leases; Close ends it.
func NewLeases() *Leases {
	r := newRounds[[]facts.LeaseAnswer]()
	r.inTurn = true
	return &Leases{r}
}

// Close ends what is under way and waits for it.
func (l *Leases) Close() { l.rounds.close() }

// Read asks each server by INFORM, or all on an interface, and where that is wanted by DISCOVER.
func (l *Leases) Read(ctx context.Context, way Way, d site.DHCP, due time.Time, budget time.Duration) (*facts.Lease, error) {
	type look struct {
		key string
		ask func(context.Context) []facts.LeaseAnswer
	}
	var looks []look
	for _, server := range d.Servers {
		to, err := way.Divert(server.String())
		if err != nil {
			return nil, err
		}
		looks = append(looks, look{to, func(ctx context.Context) []facts.LeaseAnswer { return informServer(ctx, server.Addr(), to) }})
	}
	if d.Servers == nil {
		looks = append(looks, look{"INFORM " + d.Interface, func(ctx context.Context) []facts.LeaseAnswer { return informAll(ctx, d.Interface) }})
	}
	if d.Discover {
		looks = append(looks, look{"DISCOVER " + d.Interface, func(ctx context.Context) []facts.LeaseAnswer { return discover(ctx, d.Interface) }})
	}
	answers, errs := make([][]facts.LeaseAnswer, len(looks)), make([]error, len(looks))
	Parallel(len(looks), func(i int) {
		answers[i], errs[i] = l.rounds.get(ctx, looks[i].key, due, budget, looks[i].ask)
	})
	return &facts.Lease{Answers: slices.Concat(answers...)}, errors.Join(errs...)
}

// informServer asks one server. It answers to port 68 of the address from which it was asked (RFC 2131 section
// 4.1); one on another port than 67, such as the lab's, answers to the port from which it was asked.
func informServer(ctx context.Context, server netip.Addr, to string) []facts.LeaseAnswer {
	a := leaseAsker{question: facts.Inform, server: server}
	dialer := net.Dialer{Control: shareAddress}
	if address, err := netip.ParseAddrPort(to); err == nil && address.Port() == dhcpServerPort {
		dialer.LocalAddr = &net.UDPAddr{Port: dhcpClientPort}
	}
	conn, err := dialer.DialContext(ctx, "udp4", to)
	if err != nil {
		return a.failed(err)
	}
	defer conn.Close()
	own := conn.LocalAddr().(*net.UDPAddr).IP.To4()
	card := hardwareOf(own)
	for _, class := range phone.VendorClasses() {
		if err := a.prepare(class, dhcpv4.MessageTypeInform, dhcpv4.WithClientIP(own), dhcpv4.WithHwAddr(card)); err != nil {
			return a.failed(err)
		}
	}
	a.conn = conn.(*net.UDPConn)
	a.send = func(packet []byte) error { _, err := conn.Write(packet); return err }
	return a.ask(ctx)
}

var everybody = &net.UDPAddr{IP: net.IPv4bcast, Port: dhcpServerPort}

// informAll asks all servers that hear a broadcast.
func informAll(ctx context.Context, name string) []facts.LeaseAnswer {
	a := leaseAsker{question: facts.Inform}
	card, own, err := addressOf(name)
	if err != nil {
		return a.failed(err)
	}
	// From this address the kernel sends on that interface.
	conn, err := (&net.ListenConfig{Control: shareAddress}).ListenPacket(ctx, "udp4", netip.AddrPortFrom(own, dhcpClientPort).String())
	if err != nil {
		return a.failed(err)
	}
	defer func() { _ = conn.Close() }()
	for _, class := range phone.VendorClasses() {
		err := a.prepare(class, dhcpv4.MessageTypeInform, dhcpv4.WithClientIP(own.AsSlice()), dhcpv4.WithHwAddr(card.HardwareAddr))
		if err != nil {
			return a.failed(err)
		}
	}
	a.broadcasts(conn)
	return a.ask(ctx)
}

// discover asks for an offer as a phone does, and leaves it at that: no address is taken, but one is held by
// the server for as long as an offer of its lasts.
func discover(ctx context.Context, name string) []facts.LeaseAnswer {
	a := leaseAsker{question: facts.Discover}
	card, err := net.InterfaceByName(name)
	if err != nil {
		return a.failed(err)
	}
	conn, err := rawUDP(name, dhcpClientPort)
	if err != nil {
		return a.failed(err)
	}
	defer func() { _ = conn.Close() }()
	if err := a.prepare(phone.ClassPhone, dhcpv4.MessageTypeDiscover, dhcpv4.WithHwAddr(card.HardwareAddr), dhcpv4.WithBroadcast(true)); err != nil {
		return a.failed(err)
	}
	a.broadcasts(conn)
	return a.ask(ctx)
}

var errNoAddress = errors.New("the interface has no IPv4 address")

func addressOf(name string) (*net.Interface, netip.Addr, error) {
	card, err := net.InterfaceByName(name)
	if err != nil {
		return nil, netip.Addr{}, err
	}
	list, err := dhcpv4.IPv4AddrsForInterface(card)
	if err == nil && len(list) == 0 {
		err = errNoAddress
	}
	if err != nil {
		return nil, netip.Addr{}, fmt.Errorf("%s: %w", name, err)
	}
	own, _ := netip.AddrFromSlice(list[0])
	return card, own, nil
}

// hardwareOf is the hardware address of the interface that has an address, made of zeros where it has none.
func hardwareOf(own net.IP) net.HardwareAddr {
	none := make(net.HardwareAddr, 6)
	cards, err := net.Interfaces()
	if err != nil {
		return none
	}
	for _, card := range cards {
		if list, err := dhcpv4.IPv4AddrsForInterface(&card); err == nil && slices.ContainsFunc(list, own.Equal) && len(card.HardwareAddr) > 0 {
			return card.HardwareAddr
		}
	}
	return none
}

// leaseAsker puts questions to one server, or to all that hear a broadcast.
type leaseAsker struct {
	question facts.LeaseQuestion
	// server is not valid for a broadcast.
	server   netip.Addr
	conn     net.PacketConn
	send     func([]byte) error
	requests []leaseRequest

	answers []facts.LeaseAnswer
}

type leaseRequest struct {
	class    string
	packet   *dhcpv4.DHCPv4
	sent     time.Time
	answered bool
}

// prepare adds a question with a vendor class.
func (a *leaseAsker) prepare(class string, kind dhcpv4.MessageType, more ...dhcpv4.Modifier) error {
	packet, err := dhcpv4.New(append(more, dhcpv4.WithMessageType(kind),
		dhcpv4.WithOption(dhcpv4.OptClassIdentifier(class)),
		dhcpv4.WithOption(dhcpv4.OptMaxMessageSize(leasePacket-28)), // less the headers of IP and UDP
		dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionParameterRequestList, phone.AskedOptions())))...)
	a.requests = append(a.requests, leaseRequest{class: class, packet: packet})
	return err
}

func (a *leaseAsker) broadcasts(conn net.PacketConn) {
	a.conn = conn
	a.send = func(packet []byte) error { _, err := conn.WriteTo(packet, everybody); return err }
}

// ask sends what is prepared and collects the answers.
func (a *leaseAsker) ask(ctx context.Context) []facts.LeaseAnswer {
	defer context.AfterFunc(ctx, func() { _ = a.conn.SetDeadline(time.Now()) })()
	var err error
	for left := leaseAttempts; left > 0; left-- {
		if err = a.attempt(ctx, left); err == nil || !TimedOut(err) && !errors.Is(err, errNoDHCP) || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return a.failed(err)
	}
	return a.answers
}

// attempt sends what is not answered yet, and waits for its share of the time that is left. It returns the
// error for which something still is not answered.
func (a *leaseAsker) attempt(ctx context.Context, left int) error {
	wait := leaseWait
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline)/time.Duration(left))
	}
	if err := a.conn.SetDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	for i := range a.requests {
		if r := &a.requests[i]; !r.answered {
			r.sent = time.Now()
			if err := a.send(r.packet.ToBytes()); err != nil {
				return err
			}
		}
	}
	buffer := make([]byte, leasePacket)
	var malformed error
	for a.server.IsValid() && a.waiting() || !a.server.IsValid() && len(a.answers) < maxLeaseAnswers {
		n, from, err := a.conn.ReadFrom(buffer)
		if err != nil && TimedOut(err) && !a.waiting() {
			return nil
		}
		if err != nil {
			return errors.Join(malformed, err)
		}
		xid, answer, err := readLease(buffer[:n], from, a.question)
		if err != nil {
			malformed = err
			continue
		}
		if a.server.IsValid() {
			answer.Server = a.server
		}
		a.take(xid, answer)
	}
	return nil
}

func (a *leaseAsker) waiting() bool {
	return slices.ContainsFunc(a.requests, func(r leaseRequest) bool { return !r.answered })
}

// take keeps an answer to one of our questions, one of each server. To a broadcast two may answer that call themselves the same.
func (a *leaseAsker) take(xid dhcpv4.TransactionID, answer facts.LeaseAnswer) {
	for i := range a.requests {
		r := &a.requests[i]
		known := slices.ContainsFunc(a.answers, func(o facts.LeaseAnswer) bool {
			return o.Class == r.class && o.Server == answer.Server && (a.server.IsValid() || maps.EqualFunc(o.Options, answer.Options, bytes.Equal))
		})
		if r.packet.TransactionID != xid || known {
			continue
		}
		r.answered = true
		answer.Class, answer.Took = r.class, time.Since(r.sent)
		a.answers = append(a.answers, answer)
	}
}

var errNoDHCP = errors.New("no DHCP answer")

// readLease reads a packet that came to our port.
func readLease(raw []byte, from net.Addr, question facts.LeaseQuestion) (dhcpv4.TransactionID, facts.LeaseAnswer, error) {
	// The library wants the end marked, which ISC dhcpd does not do in a field that is full and goes on in another.
	packet, err := dhcpv4.FromBytes(append(slices.Clip(raw), dhcpv4.OptionEnd.Code()))
	if err != nil {
		return dhcpv4.TransactionID{}, facts.LeaseAnswer{}, fmt.Errorf("%w: %w", errNoDHCP, err)
	}
	wanted := dhcpv4.MessageTypeAck
	if question == facts.Discover {
		wanted = dhcpv4.MessageTypeOffer
	}
	if kind := packet.MessageType(); packet.OpCode != dhcpv4.OpcodeBootReply || kind != wanted {
		return packet.TransactionID, facts.LeaseAnswer{}, fmt.Errorf("%w: %s", errNoDHCP, kind)
	}
	if err := addOverloaded(packet.Options, raw); err != nil {
		return packet.TransactionID, facts.LeaseAnswer{}, fmt.Errorf("%w: %w", errNoDHCP, err)
	}
	answer := facts.LeaseAnswer{Question: question, Options: phone.DHCPOptions(packet.Options)}
	if list, err := answer.Options.Addresses(phone.OptionServerID); err == nil && len(list) == 1 {
		answer.Server = list[0]
	} else if udp, ok := from.(*net.UDPAddr); ok {
		answer.Server = udp.AddrPort().Addr().Unmap()
	}
	if offered, ok := netip.AddrFromSlice(packet.YourIPAddr.To4()); ok && question == facts.Discover {
		answer.Offered = offered
	}
	return packet.TransactionID, answer, nil
}

// Where the fields sname and file of a packet are, and by what option 052 says that they hold options (RFC 2131 section 2,
// RFC 2132 section 9.3).
const (
	snameField, fileField, fieldsEnd = 44, 108, 236
	inFile, inSname                  = 1, 2
)

// addOverloaded adds the options in file and sname to those of the packet, where option 052 says that some are there; in
// this order, in which the parts of one that is split belong together (RFC 3396 section 7).
func addOverloaded(options dhcpv4.Options, raw []byte) error {
	overload := options.Get(dhcpv4.OptionOptionOverload)
	if len(overload) != 1 || overload[0] > inFile|inSname {
		return nil
	}
	if overload[0]&inFile != 0 {
		if err := options.FromBytes(raw[fileField:fieldsEnd]); err != nil {
			return fmt.Errorf("file: %w", err)
		}
	}
	if overload[0]&inSname != 0 {
		if err := options.FromBytes(raw[snameField:fileField]); err != nil {
			return fmt.Errorf("sname: %w", err)
		}
	}
	return nil
}

// failed adds to the answers why the other questions have none.
func (a *leaseAsker) failed(err error) []facts.LeaseAnswer {
	noteExhausted(err)
	none := facts.LeaseAnswer{Question: a.question, Server: a.server, Problem: a.problem(err), Detail: err.Error()}
	if a.requests == nil {
		return append(a.answers, none)
	}
	for _, r := range a.requests {
		if !r.answered {
			none.Class = r.class
			a.answers = append(a.answers, none)
		}
	}
	return a.answers
}

func (a *leaseAsker) problem(err error) facts.LeaseProblem {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return facts.LeaseNotPermitted
	case errors.Is(err, errNoDHCP) && a.server.IsValid():
		return facts.LeaseMalformed
	case TimedOut(err):
		return facts.LeaseSilent
	case a.server.IsValid() && Unreachable(err) && !errors.Is(err, syscall.EADDRINUSE):
		return facts.LeaseUnreachable
	default:
		return facts.LeaseNotAsked
	}
}
