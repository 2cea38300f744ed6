// Package bed plays the guide's company with real servers: BIND, a Samba
// domain controller (DNS, LDAP, Kerberos), Apache as the CA's enrolment pages
// and as the pool's update service, HAProxy as the reverse proxy and, with
// GnuTLS, as the registrars, and chronyd, each in a network namespace of its
// own, on two bridged segments which are connected to nothing else. It is meant for tests and needs Linux, root and
// the packages that scripts/real-servers.sh installs; on other systems the
// package is empty.
package bed
