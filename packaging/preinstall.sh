#!/bin/sh
# The server runs as a user of its own that cannot log in.
set -e
getent group varve >/dev/null || groupadd --system varve
getent passwd varve >/dev/null || useradd --system --gid varve --home-dir /var/lib/varve --no-create-home --shell /usr/sbin/nologin --comment "Varve" varve
