//go:build linux

package bed

import "context"

// locatorName is where a client finds the domain's controllers.
const locatorName = "_ldap._tcp.dc._msdcs." + adZone

// AddSecondDC starts a second domain controller, dc02.contoso.com, and adds
// its records to the domain's zone. It is a fresh copy of the domain: nothing
// is replicated between the two, so that they can differ. Changes of objects
// name the controller; changes of accounts are made on both. Its rootDSE says
// that it is dc01.contoso.com.
func (b *Bed) AddSecondDC(ctx context.Context) error {
	err := b.control(DC2, func(s *server) error {
		s.kill()
		return b.dc2.first(ctx)
	})
	if err != nil {
		return err
	}
	if err := b.AddADRecord(ctx, fullName(DC2), "A", address(DC2)); err != nil {
		return err
	}
	return b.AddADRecord(ctx, locatorName, "SRV", "0 100 389 "+fullName(DC2)+".")
}

// RemoveSecondDC undoes AddSecondDC.
func (b *Bed) RemoveSecondDC(ctx context.Context) error {
	if err := b.DeleteADRecord(ctx, locatorName, "SRV", "0 100 389 "+fullName(DC2)+"."); err != nil {
		return err
	}
	if err := b.DeleteADRecord(ctx, fullName(DC2), "A", ""); err != nil {
		return err
	}
	return b.control(DC2, func(s *server) error {
		s.kill()
		return b.dc2.discard()
	})
}
