//go:build linux

package bed

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// Object is an object of the directory in which a CA publishes itself: its
// name below CN=Public Key Services of the Configuration naming context.
type Object string

// contosoCA is the name of the company's certification authority.
const contosoCA = "ContosoCA"

// The objects that are there by default. All but Enrollment are
// certificationAuthority objects; each holds the root in cACertificate.
const (
	PublishedRoot Object = "CN=" + contosoCA + "," + authorities
	PublishedAIA  Object = "CN=" + contosoCA + ",CN=AIA"
	NTAuth        Object = "CN=NTAuthCertificates"
	// Enrollment is the pKIEnrollmentService; its dNSHostName is
	// ca01.contoso.com.
	Enrollment Object = "CN=" + contosoCA + "," + enrollmentServices
)

const (
	authorities        = "CN=Certification Authorities"
	enrollmentServices = "CN=Enrollment Services"
	keyServices        = "CN=Public Key Services,CN=Services,CN=Configuration," + adBase
)

// The access control of an object: everybody who logged on may read it. The
// hiding entry denies that for cACertificate, named by its schemaIDGUID.
const (
	ownerSDDL  = "O:EAG:EAD:AI"
	hidingSDDL = "(OD;;RP;bf967932-0de6-11d0-a285-00aa003049e2;;AU)"
	accessSDDL = "(A;;RPWPCRCCDCLCLORCWOWDSDDTSW;;;DA)(A;;RPWPCRCCDCLCLORCWOWDSDDTSW;;;SY)(A;;RPLCLORC;;;AU)"
)

// filler is the byte which AD puts into a mandatory attribute that has no
// content.
const filler = "\x00"

// defaultObjects lists the objects of a fresh domain.
func defaultObjects() []Object {
	return []Object{PublishedRoot, PublishedAIA, NTAuth, Enrollment}
}

func (o Object) dn() string {
	return string(o) + "," + keyServices
}

// enrols tells whether the object is a pKIEnrollmentService.
func (o Object) enrols() bool {
	return strings.HasSuffix(string(o), ","+enrollmentServices)
}

// add is the LDIF that creates the object.
func (o Object) add(values ...[]byte) string {
	text := "dn: " + o.dn() + "\nchangetype: add\n" + binaryLines("cACertificate", values)
	if o.enrols() {
		return text + "objectClass: pKIEnrollmentService\ndNSHostName: " + fullName(CA) + "\n\n"
	}
	lists := [][]byte{[]byte(filler)}
	return text + "objectClass: certificationAuthority\n" +
		binaryLines("authorityRevocationList", lists) +
		binaryLines("certificateRevocationList", lists) + "\n"
}

// setCertificates is the LDIF that replaces the object's certificates.
func (o Object) setCertificates(values ...[]byte) string {
	return "dn: " + o.dn() + "\nchangetype: modify\nreplace: cACertificate\n" +
		binaryLines("cACertificate", values) + "\n"
}

func binaryLines(attribute string, values [][]byte) string {
	var text strings.Builder
	for _, value := range values {
		_, _ = fmt.Fprintf(&text, "%s:: %s\n", attribute, base64.StdEncoding.EncodeToString(value))
	}
	return text.String()
}

// publishedLDIF makes the objects of a fresh domain.
func publishedLDIF(root []byte) string {
	var text strings.Builder
	for _, o := range defaultObjects() {
		text.WriteString(o.add(root))
	}
	return text.String()
}

// editDirectory changes the directory of the domain controller on the host,
// whether that runs, is paused or was killed.
func (b *Bed) editDirectory(ctx context.Context, host Host, ldif string) error {
	s, err := b.domainController(host)
	if err != nil {
		return err
	}
	return s.edit(ctx, ldif)
}

// SetCACertificates replaces the values of an object's cACertificate, live.
// The directory refuses no value at all and an empty one: "empty" is the
// single byte 0.
func (b *Bed) SetCACertificates(ctx context.Context, host Host, object Object, values ...[]byte) error {
	return b.editDirectory(ctx, host, object.setCertificates(values...))
}

// HideCACertificates lets nobody who logs on read the object's cACertificate.
func (b *Bed) HideCACertificates(ctx context.Context, host Host, object Object) error {
	return b.editDirectory(ctx, host,
		replace(object.dn(), "nTSecurityDescriptor", ownerSDDL+hidingSDDL+accessSDDL))
}

// CreateObject creates an object with these values of cACertificate. It may
// be one that was deleted, or a new one in one of the containers.
func (b *Bed) CreateObject(ctx context.Context, host Host, object Object, values ...[]byte) error {
	return b.editDirectory(ctx, host, object.add(values...))
}

// DeleteObject deletes an object.
func (b *Bed) DeleteObject(ctx context.Context, host Host, object Object) error {
	return b.editDirectory(ctx, host, "dn: "+object.dn()+"\nchangetype: delete\n\n")
}

// SetEnrollmentHost replaces the dNSHostName of Enrollment.
func (b *Bed) SetEnrollmentHost(ctx context.Context, host Host, name string) error {
	return b.editDirectory(ctx, host, replace(Enrollment.dn(), "dNSHostName", name))
}

// DropEnrollmentHost deletes the dNSHostName of Enrollment.
func (b *Bed) DropEnrollmentHost(ctx context.Context, host Host) error {
	return b.editDirectory(ctx, host,
		"dn: "+Enrollment.dn()+"\nchangetype: modify\ndelete: dNSHostName\n\n")
}

// RestoreDirectory undoes all changes of objects on every domain controller.
func (b *Bed) RestoreDirectory(ctx context.Context) error {
	root, err := b.Root()
	if err != nil {
		return err
	}
	for _, s := range b.domainControllers() {
		present, err := s.objects(ctx)
		if err != nil {
			return err
		}
		if err := s.edit(ctx, restoringLDIF(present, root)); err != nil {
			return err
		}
	}
	return nil
}

// objects lists the objects which the directory holds.
func (s *dcServer) objects(ctx context.Context) ([]Object, error) {
	text, err := s.domain().database(ctx, smbConfFile, "ldbsearch", "", "-b", keyServices,
		"(|(objectClass=certificationAuthority)(objectClass=pKIEnrollmentService))", "dn")
	if err != nil {
		return nil, err
	}
	var found []Object
	for line := range strings.Lines(text) {
		if dn, ok := strings.CutPrefix(strings.TrimSpace(line), "dn: "); ok {
			found = append(found, Object(strings.TrimSuffix(dn, ","+keyServices)))
		}
	}
	return found, nil
}

// restoringLDIF leads from the present objects back to the default ones.
func restoringLDIF(present []Object, root []byte) string {
	var text strings.Builder
	for _, o := range present {
		if !slices.Contains(defaultObjects(), o) {
			text.WriteString("dn: " + o.dn() + "\nchangetype: delete\n\n")
		}
	}
	for _, o := range defaultObjects() {
		if !slices.Contains(present, o) {
			text.WriteString(o.add(root))
			continue
		}
		text.WriteString(o.setCertificates(root))
		text.WriteString(replace(o.dn(), "nTSecurityDescriptor", ownerSDDL+accessSDDL))
		if o.enrols() {
			text.WriteString(replace(o.dn(), "dNSHostName", fullName(CA)))
		}
	}
	return text.String()
}
