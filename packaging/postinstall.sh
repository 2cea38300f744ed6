#!/bin/sh
# Makes the user. A new service stands still until it has a site file of its own; a running one takes the new binary.
set -e
systemd-sysusers cx700_exporter.conf
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	systemctl try-restart cx700_exporter.service
fi
