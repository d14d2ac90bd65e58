#!/bin/sh
# Runs the tests with the race detector and invariants. The race detector needs
# a C compiler: without one this installs it where it can, else goes without
# and says so in the last line.
set -u
GO=${GO:-go}

if ! command -v "${CC:-cc}" >/dev/null 2>&1 && ! command -v gcc >/dev/null 2>&1; then
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
		echo "no C compiler: installing gcc for the race detector"
		(apt-get update -q && apt-get install -y -q --no-install-recommends gcc libc6-dev) >/dev/null 2>&1
	fi
fi
race=-race
note="race detector: on"
if ! command -v "${CC:-cc}" >/dev/null 2>&1 && ! command -v gcc >/dev/null 2>&1; then
	race=
	note="race detector: OFF, no C compiler could be found or installed"
	export CGO_ENABLED=0
else
	export CGO_ENABLED=1
fi

log=$(mktemp)
trap 'rm -f "$log" "$log.status"' EXIT
# The verbose stream is kept for counting; people see the packages and what failed.
{ $GO test $race -tags invariants -timeout 20m -json "$@"; echo $? >"$log.status"; } >"$log"
status=$(cat "$log.status")

$GO run ./test/summary <"$log" || status=1
echo "$note"
exit "$status"
