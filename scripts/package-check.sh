#!/usr/bin/env bash
# Lives through deb and rpm in a Debian with systemd, made and booted for it: install, start, scrape, reload, upgrade over
# a changed site file, remove. package-check.sh DEB RPM, as root. ROOT is a folder with such a Debian, if there is one.
set -euo pipefail
deb=$(realpath "$1") rpm=$(realpath "$2")
cd "$(dirname "$0")/.."

missing=()
for package in debootstrap systemd-container; do
	dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
done
((${#missing[@]} == 0)) || apt-get -o DPkg::Lock::Timeout=300 -q -y --no-install-recommends install "${missing[@]}"

work=$(mktemp -d)
root=${ROOT:-$work/root}
boot=
cleanup() {
	[[ -z $boot ]] || kill "$boot" 2>/dev/null || true
	wait
	rm -rf "$work"
}
trap cleanup EXIT
[[ -d $root ]] || debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,rpm,curl bookworm "$root" >"$work/debootstrap.log"
cp "$deb" "$root/root/new.deb"
cp "$rpm" "$root/root/new.rpm"

systemd-nspawn -q -D "$root" --register=no --keep-unit --private-network -b </dev/null >"$work/boot.log" 2>&1 &
boot=$!
inside() {
	local first
	first=$(pgrep -P "$boot" -o) && nsenter -t "$first" -m -u -i -n -p -- /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}
fail() {
	echo "package-check: $*" >&2
	inside journalctl -q --no-pager -n 30 -u cx700_exporter >&2 || true
	exit 1
}
eventually() { # COMMAND...
	for _ in $(seq 100); do
		if "$@" >/dev/null 2>&1; then return; fi
		sleep 0.3
	done
	fail "not within 30 s: $*"
}
scraped() { # LINE
	inside curl -fsS -m 5 http://localhost:10700/metrics | grep -E -- "$1"
}
is() { # WHAT WANT
	local have
	have=$(inside systemctl show cx700_exporter -P "$1")
	[[ $have = "$2" ]] || fail "$1 is $have, want $2"
}
eventually inside systemctl is-active multi-user.target
inside ip link set lo up 2>/dev/null || true

lived() { # KIND INSTALL UPGRADE, commands
	inside sh -ec "$2"
	inside id cx700_exporter
	is ActiveState inactive
	is UnitFileState disabled
	inside systemctl enable -q --now cx700_exporter
	eventually scraped '^cx700_config_last_reload_successful 1$'
	scraped ^cx700_exporter_build_info
	inside sh -c 'grep -qsx cx700_exporter /proc/[0-9]*/comm' || fail "no such process"
	local pid
	pid=$(inside systemctl show cx700_exporter -P MainPID)
	inside grep -E '^(Uid|CapEff|NoNewPrivs|Seccomp):' "/proc/$pid/status" | tr '\t\n' ' ;'
	echo

	inside sh -c 'echo "sites: nonsense" >>/etc/cx700_exporter/cx700.yml; systemctl reload cx700_exporter'
	eventually scraped '^cx700_config_last_reload_successful 0$'
	inside sh -c 'sed -i "s/^sites: nonsense/# mine/" /etc/cx700_exporter/cx700.yml; systemctl reload cx700_exporter'
	eventually scraped '^cx700_config_last_reload_successful 1$'
	inside sh -ec "$3"
	inside grep -q '^# mine' /etc/cx700_exporter/cx700.yml || fail "an upgrade took the site file away"
	[[ $(inside systemctl show cx700_exporter -P MainPID) != "$pid" ]] || fail "an upgrade left the old program running"
	eventually scraped '^cx700_config_last_reload_successful 1$'
	inside systemctl stop cx700_exporter
	is Result success
	inside test -s /var/lib/cx700_exporter/state.json || fail "no state file"
	inside systemctl start cx700_exporter
	echo "$1: installed, started, scraped, reloaded, upgraded, stopped"
}
gone() { # KIND, after it was removed while it ran
	! inside sh -c 'grep -qsx cx700_exporter /proc/[0-9]*/comm' || fail "$1: still running"
	! inside systemctl cat cx700_exporter >/dev/null 2>&1 || fail "$1: the unit is still there"
	! inside test -e /etc/systemd/system/multi-user.target.wants/cx700_exporter.service || fail "$1: still enabled"
	! inside test -e /usr/bin/cx700_exporter || fail "$1: the program is still there"
}

inside dpkg -c /root/new.deb
lived deb 'dpkg -i /root/new.deb' 'dpkg -i --force-confold /root/new.deb'
inside systemd-analyze security --no-pager --threshold=20 cx700_exporter | tail -n 1
inside mkdir /etc/systemd/system/cx700_exporter.service.d
sed -n '/^```ini/,/^```/{/^```/!p}' docs/install.md >"$root/etc/systemd/system/cx700_exporter.service.d/raw.conf"
inside systemctl daemon-reload
inside systemctl restart cx700_exporter
inside sh -c 'grep -q "^CapEff:.*2400$" "/proc/$(systemctl show cx700_exporter -P MainPID)/status"' || fail "no CAP_NET_RAW"
inside rm -r /etc/systemd/system/cx700_exporter.service.d
inside systemctl daemon-reload
inside systemctl restart cx700_exporter
inside dpkg-query -W -f '${Conffiles}\n' cx700-exporter
inside dpkg --remove cx700-exporter
gone deb
inside grep -q '^# mine' /etc/cx700_exporter/cx700.yml || fail "remove took the site file away"
inside dpkg --purge cx700-exporter
for path in /etc/cx700_exporter /etc/default/cx700_exporter /var/lib/cx700_exporter; do
	! inside test -e "$path" || fail "deb: $path is still there after purge"
done
echo "deb: removed, purged"

# Debian's RPM knows none of Debian's packages.
inside rpm -qpl /root/new.rpm
lived rpm 'rpm -i --nodeps /root/new.rpm' 'rpm -U --nodeps --replacepkgs /root/new.rpm'
inside rpm -qc cx700-exporter
inside rpm -e cx700-exporter
gone rpm
inside grep -q '^# mine' /etc/cx700_exporter/cx700.yml.rpmsave || fail "rpm: the site file was not saved"
echo "rpm: removed, the site file saved"
