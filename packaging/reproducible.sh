#!/bin/sh
# Makes the release of HEAD in two directories, each with a build cache of its
# own, and compares the sums. PLATFORMS limits it to some.
set -eu
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'chmod -R u+w "$out"; rm -rf "$out"' EXIT
version=$(git describe --tags --always)
for dir in one a/longer/path/to/two; do
	mkdir -p "$out/$dir"
	git archive HEAD | tar -x -C "$out/$dir"
	GOCACHE="$out/cache" make -s -C "$out/$dir" release VERSION="$version" ${PLATFORMS:+PLATFORMS="$PLATFORMS"}
	rm -rf "$out/cache"
done
if cmp "$out/one/dist/SHA256SUMS" "$out/a/longer/path/to/two/dist/SHA256SUMS"; then
	echo "== the same bytes from two directories"
else
	exit 1
fi
