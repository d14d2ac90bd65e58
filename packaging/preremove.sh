#!/bin/sh
# Stop the server when it is removed, not when it is replaced: deb says
# "remove", rpm the number of versions that are left.
set -e
if [ "$1" = remove ] || [ "$1" = 0 ]; then
	if [ -d /run/systemd/system ]; then
		systemctl disable --now varve.service
	fi
fi
