#!/bin/sh
# Runs every fuzz test for the given time each: go test takes one at a time. All
# run, also when one has found something; then the exit code is 1.
set -u
GO=${GO:-go}
log=$(mktemp)
trap 'rm -f "$log" "$log.failed"' EXIT
grep -rhoE --include='*_test.go' -H '^func Fuzz[A-Za-z0-9_]+' . | while IFS=: read -r file text; do
	name=${text#func }
	dir=$(dirname "$file")
	echo "== $name in $dir"
	# Minimising has a bound of its own, else it uses the time up.
	$GO test "$dir" -run '^$' -fuzz "^$name\$" -fuzztime "$1" -fuzzminimizetime 5x >"$log" 2>&1 && continue
	cat "$log"
	# go test calls it a failure when time is up while a worker is starting an
	# input; a finding names the file with the input.
	if grep -q 'Failing input written\|panic:\|build failed\|setup failed' "$log" || ! grep -q 'context deadline exceeded' "$log"; then
		echo "$name" >>"$log.failed"
	fi
done
if [ -s "$log.failed" ]; then
	echo "failed:" && cat "$log.failed"
	exit 1
fi
