#!/bin/sh
# "remove" is Debian's word, 0 that of RPM for the last one going.
set -e
case "$1" in
remove | 0)
	if [ -d /run/systemd/system ]; then
		systemctl --no-reload disable --now cx700_exporter.service
	fi
	;;
esac
