#!/bin/sh
# Runs the tests with the race detector and invariants. The race detector needs
# a C compiler: without one this installs it where it can, else goes without
# and says so in the last line. What some tests want besides is installed where it
# can be; without it they skip and say so.
set -u
GO=${GO:-go}

if ! command -v "${CC:-cc}" >/dev/null 2>&1 && ! command -v gcc >/dev/null 2>&1; then
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
		echo "no C compiler: installing gcc for the race detector"
		(apt-get update -q && apt-get install -y -q --no-install-recommends gcc libc6-dev) >/dev/null 2>&1
	fi
fi
for tool in spin ip:iproute2 iptables; do
	if ! command -v "${tool%%:*}" >/dev/null 2>&1 && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
		(apt-get update -q && apt-get install -y -q --no-install-recommends "${tool##*:}") >/dev/null 2>&1
	fi
done
race=-race
note="race detector: on"
if ! command -v "${CC:-cc}" >/dev/null 2>&1 && ! command -v gcc >/dev/null 2>&1; then
	race=
	note="race detector: OFF, no C compiler could be found or installed"
	export CGO_ENABLED=0
else
	export CGO_ENABLED=1
fi

# What stores and queries must also work on machines of 32 bits.
small='./tsm/... ./query/... ./data/...'
if [ "$($GO env GOHOSTARCH)" = amd64 ]; then
	note="$note; tsm, query and data also as 386"
else
	small=
	note="$note; nothing as 386, which this machine does not run"
fi

log=$(mktemp)
trap 'rm -f "$log" "$log.status"' EXIT
# The verbose stream is kept for counting; people see the packages and what failed.
# Clusters of real servers come last and alone: they want the machine for themselves.
alone=github.com/varvedb/varve/test/cluster
# The race detector of Go 1.26 crashes now and then (SIGSEGV in its stack depot, on
# the system stack of a synctest bubble) where many timers run in bubbles: these
# packages run without it here, and with it when a person asks for them.
bubbles='github.com/varvedb/varve/\(data\|meta/control\)'
{
	$GO test $race -tags invariants -timeout 20m -json $($GO list "$@" | grep -vx $alone | grep -vx "$bubbles")
	echo $? >"$log.status"
	packages=$($GO list "$@" | grep -x "$bubbles")
	if [ -n "$packages" ]; then
		$GO test -tags invariants -timeout 20m -json $packages || echo 1 >"$log.status"
	fi
	# Planted bugs, one at a time: do the tests see them?
	$GO test -tags 'invariants mutants' -run 'Planted' -timeout 20m -json ./test/sim ./tsm ./coordinator/fanout || echo 1 >"$log.status"
	if [ -n "$small" ]; then
		GOARCH=386 CGO_ENABLED=0 $GO test -timeout 20m -json $small || echo 1 >"$log.status"
	fi
	if $GO list "$@" | grep -qx $alone; then
		$GO test -timeout 40m -json $alone || echo 1 >"$log.status"
	fi
} >"$log"
status=$(cat "$log.status")

$GO run ./test/summary <"$log" || status=1
echo "$note; the race detector is off for data and meta/control, whose bubbles crash it"
exit "$status"
