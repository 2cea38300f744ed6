#!/usr/bin/env bash
# Installs the Debian packages which internal/bed plays the environment with:
# a Samba domain controller, BIND, chrony, Apache, HAProxy, GnuTLS, the tools that check them, the browser that
# looks at the pages, and Prometheus and Alertmanager to read what the program serves.
# No service is started; running it again when everything is there does nothing.
set -euo pipefail

required=(
	gcc libc6-dev
	bind9 bind9-dnsutils samba winbind ldb-tools ldap-utils krb5-user
	chrony faketime iproute2 iptables curl prometheus
	prometheus-alertmanager
	openssl gnutls-bin python3 apache2 haproxy libapache2-mod-auth-gssapi gss-ntlmssp libsasl2-modules-gssapi-mit python3-samba
	isc-dhcp-server dnsmasq-base kamailio
	chromium fonts-dejavu-core
)
# Part of the samba package in some releases, packages of their own in others.
optional=(samba-ad-dc samba-ad-provision)

policy=/usr/sbin/policy-rc.d
saved=

installed() {
	[[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

known() {
	[[ $(apt-cache policy "$1" 2>/dev/null) == *Candidate:\ [0-9]* ]]
}

forbid_services() {
	saved=$(mktemp -d)
	trap restore_services EXIT
	if [[ -e $policy || -L $policy ]]; then
		mv -- "$policy" "$saved/policy-rc.d"
	fi
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
}

restore_services() {
	rm -f -- "$policy"
	if [[ -e $saved/policy-rc.d || -L $saved/policy-rc.d ]]; then
		mv -- "$saved/policy-rc.d" "$policy"
	fi
	rm -rf -- "$saved"
}

missing=()
for package in "${required[@]}"; do
	installed "$package" || missing+=("$package")
done
for package in "${optional[@]}"; do
	if ! installed "$package" && { ((${#missing[@]})) || known "$package"; }; then
		missing+=("$package")
	fi
done
if ((${#missing[@]} == 0)); then
	echo "real-servers: everything is installed"
	exit 0
fi

if ((EUID != 0)); then
	echo "real-servers: must be root to install: ${missing[*]}" >&2
	exit 1
fi

export DEBIAN_FRONTEND=noninteractive
apt_options=(-o DPkg::Lock::Timeout=300)
apt-get "${apt_options[@]}" -q update

wanted=()
for package in "${missing[@]}"; do
	if [[ " ${optional[*]} " != *" $package "* ]] || known "$package"; then
		wanted+=("$package")
	fi
done

echo "real-servers: installing ${wanted[*]}"
forbid_services
apt-get "${apt_options[@]}" -q -y --no-install-recommends install "${wanted[@]}"
