#!/usr/bin/env bash
# Makes dist/, everything that a release publishes, from the commit that is checked out: an archive, and a list of what
# the program in it is made of (SBOM, CycloneDX), for each platform; deb and rpm; the chart; checksums. The same commit
# and version give the same bytes. release.sh VERSION
# TOOLS is a folder for the tools, so that two runs need not build them twice.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$1
tools=${TOOLS:-$PWD/dist/tools}
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH TZ=UTC LC_ALL=C
umask 022
if [[ ! $version =~ ^[0-9]+\.[0-9]+\.[0-9]+ ]]; then
	echo "release: VERSION=$version: write one like 1.2.3; a tag v1.2.3 gives it" >&2
	exit 1
fi
for tool in zip tar gzip sha256sum unshare hostname; do
	command -v "$tool" >/dev/null || { echo "release: $tool is not installed" >&2; exit 1; }
done

tool() { # PACKAGE VERSION FLAGS...
	[[ -x $tools/${1##*/} ]] || GOBIN=$tools go install "${@:3}" "$1@$2"
}
tool github.com/goreleaser/nfpm/v2/cmd/nfpm v2.41.3
tool github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod v1.10.0 -trimpath # the SBOM has its hash
tool helm.sh/helm/v3/cmd/helm v3.22.0

dist=$PWD/dist stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir -p "$dist"
find "$dist" -mindepth 1 -maxdepth 1 -type f -delete

packed() { # FOLDER ARCHIVE: the folder below $stage, whoever made its files and when
	tar -C "$stage" --sort=name --format=gnu --mtime="@$SOURCE_DATE_EPOCH" --mode=u=rwX,go=rX --owner=0 --group=0 \
		--numeric-owner -cf - "$1" | gzip -n9 >"$2"
}

platform() { # OS ARCH
	local name=cx700_exporter-$version.$1-$2 program=cx700_exporter
	[[ $1 != windows ]] || program=cx700_exporter.exe
	mkdir -p "$stage/$name/examples"
	GOOS=$1 GOARCH=$2 make --no-print-directory -s build BINARY="$stage/$name/$program" VERSION="$version"
	cp LICENSE README.md "$stage/$name/"
	cp examples/minimal.yml examples/cx700.yml "$stage/$name/examples/"
	# What is asked of the cache only: the modules are there since the build.
	GOPROXY=off GOFLAGS=-mod=mod "$tools/cyclonedx-gomod" bin -json -std -noserial -notimestamp -version "v$version" \
		-output "$dist/$name.cdx.json" "$stage/$name/$program" 2>"$stage/sbom.log" || { cat "$stage/sbom.log" >&2; exit 1; }
	if [[ $1 = windows ]]; then
		find "$stage/$name" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
		(cd "$stage" && find "$name" -type f | sort | zip -X -q -9 -@ "$dist/$name.zip")
	else
		packed "$name" "$dist/$name.tar.gz"
	fi
}
for os in linux windows darwin; do
	for arch in amd64 arm64; do
		echo "$os $arch"
		platform "$os" "$arch"
	done
done

# An RPM has the name of the machine that made it.
nameless() { unshare --map-root-user --uts sh -c 'hostname localhost && exec "$@"' sh "$@"; }
for arch in amd64 arm64; do
	for packager in deb rpm; do
		ARCH=$arch VERSION=$version BINARY=$stage/cx700_exporter-$version.linux-$arch/cx700_exporter \
			nameless "$tools/nfpm" package -f packaging/nfpm.yaml -p "$packager" -t "$dist/"
	done
done

# Helm writes the time of packing into its archive, so that it is packed again.
"$tools/helm" package helm/cx700-exporter --version "$version" --app-version "$version" -d "$stage" >/dev/null
tar -C "$stage" -xmzf "$stage/cx700-exporter-$version.tgz"
packed cx700-exporter "$dist/cx700-exporter-$version.tgz"

cd "$dist"
find . -maxdepth 1 -type f -printf '%P\n' | sort | xargs sha256sum >"$stage/sha256sums.txt"
cp "$stage/sha256sums.txt" .
ls -l --time-style=+ .
