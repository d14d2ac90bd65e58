#!/bin/sh
# A new installation is not started: its settings are looked at first. One that
# was running before an upgrade is started again.
set -e
install -d -o varve -g varve -m 0750 /var/lib/varve
# A secret may come to stand in it.
chown root:varve /etc/varve/varved.toml
chmod 0640 /etc/varve/varved.toml
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	systemctl try-restart varve.service
fi
