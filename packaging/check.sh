#!/bin/sh
# Installs the deb of this machine as its users would, in a root of its own over
# that of this machine (nothing stays), starts the server as the unit says,
# writes and reads, and removes it again. Needs root and overlay mounts.
set -eu
cd "$(dirname "$0")/.."
if [ "$(id -u)" != 0 ] || ! command -v dpkg >/dev/null || ! command -v unshare >/dev/null; then
	echo "skipped: dpkg and unshare need root"
	exit 0
fi
deb=$(ls dist/varve_*_"$(dpkg --print-architecture)".deb)
if command -v systemd-analyze >/dev/null; then
	systemd-analyze verify "$PWD/packaging/varve.service" 2>&1 | grep -v 'is not executable' || true
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
exec unshare --mount --pid --fork --kill-child sh -eu -c '
	work=$1 deb=$2
	mount -t tmpfs none "$work"
	mkdir "$work/upper" "$work/work" "$work/root"
	mount -t overlay none -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$work/root"
	mount -t proc none "$work/root/proc"
	mount --bind /dev "$work/root/dev"
	cp "$deb" "$work/root/varve.deb"
	cp packaging/in-root.sh "$work/root/in-root.sh"
	chroot "$work/root" /in-root.sh
' sh "$work" "$deb"
