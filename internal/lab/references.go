package lab

import (
	"errors"
	"net/netip"
)

// The networks, as far as they differ in the exporter's own references.
const (
	vantageInside = iota
	vantageOutside
	vantages
)

const (
	referenceName = "a.root-servers.net."
	// referenceClocks is how many time servers the exporter compares its own clock with.
	referenceClocks = 2
)

// references are the resolver and the time servers by which the exporter looks at its own network and clock. They
// are the lab's and no site's: what breaks a site's servers leaves them whole.
type references struct {
	resolver *resolver
	clocks   [referenceClocks]*udpServer
}

// vantageState is how the references of a network answer; the zero value is as they should.
type vantageState struct {
	resolver resolverMode
	clocks   [referenceClocks]clockState
}

// startReferences starts those of both networks.
func (l *Lab) startReferences() (err error) {
	records := zone(a(referenceName, netip.AddrFrom4([4]byte{198, 41, 0, 4})))
	for i := range l.references {
		r := &l.references[i]
		r.resolver, err = startResolver(func() *resolverState { return &resolverState{mode: l.vantage(i).resolver, records: records} })
		if err != nil {
			return err
		}
		for c := range r.clocks {
			if r.clocks[c], err = startClock(func() clockState { return l.vantage(i).clocks[c] }); err != nil {
				return err
			}
		}
	}
	return nil
}

// vantage is how the references of a network answer: as the first site says at which they are broken.
func (l *Lab) vantage(network int) vantageState {
	for _, o := range l.offices {
		if s := o.state.Load().vantage[network]; s != (vantageState{}) {
			return s
		}
	}
	return vantageState{}
}

func (r *references) close() error {
	var errs []error
	if r.resolver != nil {
		errs = append(errs, r.resolver.close())
	}
	for _, c := range r.clocks {
		if c != nil {
			errs = append(errs, c.close())
		}
	}
	return errors.Join(errs...)
}

func vantageFaults() []fault {
	vantage := func(name, network, text string, which int, is vantageState, reasons ...string) fault {
		return fault{Fault{Name: name, Network: network, Collector: "vantage", Reasons: reasons, Text: text},
			func(s *state) { s.vantage[which] = is }}
	}
	gone := vantageState{resolver: silent, clocks: [referenceClocks]clockState{{mode: mute}, {mode: mute}}}
	ahead := vantageState{clocks: [referenceClocks]clockState{{offset: farOff}, {offset: farOff}}}
	return []fault{
		vantage("vantage_lost", "internal", "the exporter's own network is gone, for all sites", vantageInside, gone, "vantage_lost"),
		vantage("vantage_clock_off", "internal", "the exporter's own clock is seven minutes behind", vantageInside, ahead, "vantage_clock_off"),
		vantage("vantage_reference_silent", "internal", "the exporter's own resolver of reference is silent", vantageInside,
			vantageState{resolver: silent}, "vantage_reference_silent"),
		vantage("vantage_reference_off", "internal", "one of the exporter's time references is seven minutes ahead", vantageInside,
			vantageState{clocks: [referenceClocks]clockState{{offset: farOff}}}, "vantage_reference_off"),
		vantage("external_vantage_lost", "external", "the exporter's own network is gone outside, for all sites", vantageOutside, gone, "vantage_lost"),
		vantage("external_vantage_off", "external", "the exporter's own clock is behind, by its references outside",
			vantageOutside, ahead, "vantage_clock_off"),
	}
}
