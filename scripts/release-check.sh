#!/usr/bin/env bash
# Makes a release of the last commit twice, in two folders, the second time with nothing from Go's build cache, and
# compares the bytes. What was made stays in dist/. release-check.sh VERSION
# TOOLS and CACHE are folders to use instead of new ones; with one's own build cache it is quick and proves less.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$1 work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
command -v zip >/dev/null || apt-get -o DPkg::Lock::Timeout=300 -q -y --no-install-recommends install zip
export TOOLS=${TOOLS:-$work/tools}
for turn in first second/deeper; do
	git clone -q . "$work/$turn"
	"$work/$turn/scripts/release.sh" "$version"
	export GOCACHE=${CACHE:-$work/cache}
done
diff -r "$work/first/dist" "$work/second/deeper/dist"
rm -rf dist
cp -r "$work/first/dist" dist
(cd dist && sha256sum --quiet -c sha256sums.txt)
echo "release-check: $(find dist -type f | wc -l) files, built twice, equal"
