#!/bin/sh
# Runs the Dockerfile's build steps without Docker, then the binary as the
# image's user with a root file system that is read-only but for its data, and
# runs the image's health check. Needs root and user namespaces (unshare).
set -eu
cd "$(dirname "$0")/.."
if [ "$(id -u)" != 0 ]; then
	echo "skipped: chroot and unshare need root"
	exit 0
fi
out=$(mktemp -d)
server=
cleanup() {
	[ -z "$server" ] || kill "$server" 2>/dev/null || true
	[ -z "$server" ] || wait "$server" 2>/dev/null || true
	rm -rf "$out"
}
trap cleanup EXIT

# The steps are read from the Dockerfile, so that the two cannot differ.
export VERSION="${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo unknown)}"
sed -n '/^# steps: build/,/^# steps: end/s/^RUN //p' docker/Dockerfile | sed "s|/out|$out|g" >"$out.steps"
echo "== build"; cat "$out.steps"
sh -eu "$out.steps"; rm "$out.steps"
if ldd "$out/varved" 2>/dev/null | grep -q '=>'; then echo "varved is not static"; exit 1; fi

# A root that holds only what the image holds.
root=$out/root
mkdir -p "$root/usr/local/bin" "$root/var/lib/varve" "$root/proc" "$root/dev"
cp "$out/varved" "$out/varve" "$root/usr/local/bin/"
chown 10001:10001 "$root/var/lib/varve"
chmod 755 "$out"
port=${PORT:-18086}
export VARVE_HTTP_BIND_ADDRESS="127.0.0.1:$port"
health=$(sed -n '/^HEALTHCHECK/,/CMD/s/^ *CMD \[\(.*\)\]/\1/p' docker/Dockerfile | tr -d '",')
check() { # shellcheck disable=SC2086 # it is a command and its arguments
	chroot --userspec=10001:10001 "$root" $health
}
if check 2>/dev/null; then echo "healthy without a server"; exit 1; fi
echo "== run as uid 10001, root read-only"
unshare --mount sh -eu -c '
	root=$1
	mount --bind "$root" "$root"
	mount --bind "$root/var/lib/varve" "$root/var/lib/varve"
	mount -o remount,bind,ro "$root"
	exec chroot --userspec=10001:10001 "$root" /usr/local/bin/varved --data-dir /var/lib/varve
' sh "$root" >"$out/log" 2>&1 &
server=$!
for _ in $(seq 100); do
	grep -q "http://127.0.0.1:$port" "$out/log" && break
	kill -0 "$server" 2>/dev/null || break
	sleep 0.2
done
cat "$out/log"
echo "== health check: $health"; check
chroot --userspec=10001:10001 "$root" /usr/local/bin/varve -host 127.0.0.1 -port "$port" -execute 'CREATE DATABASE image'
chroot --userspec=10001:10001 "$root" /usr/local/bin/varve -host 127.0.0.1 -port "$port" -execute 'SHOW DATABASES' | grep -q '^image$'
grep '^Uid:' "/proc/$server/status"
if touch "/proc/$server/root/should-not-be" 2>/dev/null; then echo "the root can be written"; exit 1; fi
kill -TERM "$server"
wait "$server"
server=
echo "== ended with 0 after SIGTERM"
