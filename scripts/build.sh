#!/bin/sh
# Builds the program, static, with its version in it: build.sh FILE VERSION REVISION. GOOS and GOARCH are heeded.
set -eu
version=github.com/prometheus/common/version
# Where calls are inlined: not (-l) in what others wrote, but for scrapes and questions to DNS, nor in what works seldom.
# The program is 3 % smaller for it. Of patterns that match a package the last one holds.
module=github.com/cx700/cx700_exporter
exec env CGO_ENABLED=0 go build -trimpath -o "$1" -ldflags "-s -w -X $version.Version=$2 -X $version.Revision=$3" \
	-gcflags=all=-l -gcflags=std= -gcflags=$module/...= -gcflags=github.com/prometheus/...= \
	-gcflags=google.golang.org/protobuf/...= -gcflags=github.com/miekg/...= \
	-gcflags=$module/internal/lab=-l -gcflags=$module/dashboards=-l ./cmd/cx700_exporter
