#!/bin/sh
# Runs every fuzz test for the given time each: go test takes one at a time.
set -eu
GO=${GO:-go}
grep -rhoE --include='*_test.go' -H '^func Fuzz[A-Za-z0-9_]+' . | while IFS=: read -r file text; do
	name=${text#func }
	echo "== $name in $(dirname "$file")"
	$GO test "$(dirname "$file")" -run '^$' -fuzz "^$name\$" -fuzztime "$1"
done
