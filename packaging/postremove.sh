#!/bin/sh
# The user stays, as files may be his; so do secrets that were put beside the site file.
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
if [ "$1" = purge ]; then
	rm -rf /var/lib/cx700_exporter
fi
