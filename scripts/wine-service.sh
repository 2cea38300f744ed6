#!/usr/bin/env bash
# Installs, starts, scrapes, reloads, stops and removes the Windows service of a Windows build, under Debian's Wine.
# Wine has no separate accounts and shows events only as traces; what it cannot prove is in docs/install.md.
# wine-service.sh [PROGRAM.exe]    builds one where none is named
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
for package in wine wine64 gcc-mingw-w64-x86-64-win32 curl; do
	dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
done
((${#missing[@]} == 0)) || apt-get -o DPkg::Lock::Timeout=300 -q -y --no-install-recommends install "${missing[@]}"

work=$(mktemp -d)
export WINEPREFIX=$work/prefix WINEARCH=win64 DISPLAY='' WINEDEBUG=-all,err+eventlog,warn+eventlog,trace+eventlog
wine=/usr/lib/wine/wine64
cleanup() {
	timeout 30 wineserver -k || true
	rm -rf "$work"
}
trap cleanup EXIT

timeout 120 "$wine" wineboot -i >"$work/boot.log" 2>&1
timeout 60 wineserver -w
# Go asks Windows for random bytes by ProcessPrng, which Wine 8 does not have.
cat >"$work/random.c" <<'C'
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T n) {
	return SystemFunction036(bytes, (ULONG)n);
}
C
x86_64-w64-mingw32-gcc-win32 -shared -O2 -s -o "$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll" \
	"$work/random.c" -ladvapi32
# What "sc control cx700_exporter paramchange" does; Wine's sc cannot.
cat >"$work/paramchange.c" <<'C'
#include <windows.h>
int main(void) {
	SERVICE_STATUS status;
	SC_HANDLE service = OpenServiceA(OpenSCManagerA(NULL, NULL, SC_MANAGER_CONNECT), "cx700_exporter", SERVICE_PAUSE_CONTINUE);
	return !ControlService(service, SERVICE_CONTROL_PARAMCHANGE, &status);
}
C
x86_64-w64-mingw32-gcc-win32 -O2 -s -o "$work/paramchange.exe" "$work/paramchange.c" -ladvapi32

folder=$WINEPREFIX/drive_c/cx700
mkdir "$folder"
if [[ -n ${1:-} ]]; then
	cp "$1" "$folder/cx700_exporter.exe"
else
	GOOS=windows GOARCH=amd64 make build BINARY="$folder/cx700_exporter.exe" >/dev/null
fi
cp examples/minimal.yml "$folder/cx700.yml"
# Services live as long as a program of the session does, and what they write goes where its first one writes.
mkfifo "$work/session"
"$wine" cmd <"$work/session" >"$work/service.log" 2>&1 &
exec 3>"$work/session"
for _ in $(seq 100); do
	if grep -qs Windows "$work/service.log"; then break; fi
	sleep 0.1
done

program() { timeout 60 "$wine" "$folder/cx700_exporter.exe" "$@"; }
sc() { timeout 60 "$wine" sc "$@"; }
fail() {
	echo "wine-service: $*" >&2
	tail -n 20 "$work"/*.log >&2
	exit 1
}
expect() { # WORD FILE
	grep -qF -- "$1" "$2" || fail "no \"$1\" in $2"
}
port=10780
scrape() { curl -fsS -m 5 "http://127.0.0.1:$port/metrics" -o "$work/metrics.log"; }
scrape_until() { # LINE
	for _ in $(seq 100); do
		if scrape 2>/dev/null && grep -qE -- "$1" "$work/metrics.log"; then return; fi
		sleep 0.3
	done
	fail "not scraped within 30 s: $1"
}

if program service install --config.file=missing.yml >"$work/refused.log" 2>&1; then fail "a missing site file was taken"; fi
expect missing.yml "$work/refused.log"
program service install --config.file=cx700.yml --state.file=state.json --web.listen-address="127.0.0.1:$port" ||
	fail "install"
registered() { timeout 60 "$wine" reg query 'HKLM\System\CurrentControlSet\Services\cx700_exporter'; }
registered >"$work/registered.log" 2>&1 || fail "not registered"
expect 'cx700_exporter.exe service run --config.file=cx700.yml' "$work/registered.log"
echo "installed: $(grep -a -e ImagePath -e ObjectName "$work/registered.log" | tr -d '\r')"

sc start cx700_exporter >"$work/start.log" 2>&1 || fail "sc start"
scrape_until '^cx700_config_last_reload_successful 1$'
grep -a ^cx700_exporter_build_info "$work/metrics.log"
echo "scraped: $(grep -c ^cx700_ "$work/metrics.log") series"

echo 'sites: nonsense' >"$folder/cx700.yml"
timeout 60 "$wine" "$work/paramchange.exe" || fail "paramchange"
scrape_until '^cx700_config_last_reload_successful 0$'
echo "reloaded: the faulty file was refused, the service goes on"

sc stop cx700_exporter >"$work/stop.log" 2>&1 || fail "sc stop"
for _ in $(seq 100); do
	if ! scrape 2>/dev/null; then break; fi
	sleep 0.3
done
if scrape 2>/dev/null; then fail "still serves after sc stop"; fi
echo "stopped"
program service uninstall || fail "uninstall"
if registered >"$work/gone.log" 2>&1; then fail "still registered"; fi
echo "uninstalled"
exec 3>&-
wait
for word in 'site file taken over' 'not taken over' 'Listening on'; do
	expect "$word" "$work/service.log"
done
echo "events: $(grep -ac eventlog "$work/service.log")"
