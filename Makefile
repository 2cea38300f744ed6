# The verbs of this project. CI calls `make test`; the slow suites are apart in `make long`.

GOLANGCI_LINT_VERSION := v2.15.0
# Of the tag v1.2.3; without one 0.0.0 and the commit.
VERSION  ?= $(or $(patsubst v%,%,$(shell git describe --tags --match 'v[0-9]*' --dirty 2>/dev/null)),0.0.0-g$(shell \
	git describe --always --exclude '*' --dirty 2>/dev/null || echo unknown))
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
BINARY   ?= cx700_exporter

.PHONY: build test long fuzz bench lint cross service release release-check packages image

# The binary, static, with its version in it.
build:
	scripts/build.sh $(BINARY) $(VERSION) $(REVISION)

# The race detector needs a C compiler, which scripts/real-servers.sh installs.
RACE = $$(if command -v "$$(go env CC)" >/dev/null; then echo -race; fi)

# Every test, those against real servers included. They need root and Debian's packages, which are
# installed; without root they are left out by name, or fail where STRICT=1. Those of cmd mostly wait for servers:
# they run beside the others, and with the race detector in "make long" only.
test:
	@if [ "$$(id -u)" = 0 ]; then scripts/real-servers.sh; else \
		echo "not root: these tests against real servers are left out, and all of internal/bed:"; \
		grep -rhoE '^func TestReal[A-Za-z]*' cmd | sed 's/func /  /'; fi
	@command -v "$$(go env CC)" >/dev/null || echo "no C compiler: the race detector is left out"
	go vet ./...
	go test $(RACE) -timeout 20m $$(go list ./... | grep -v /cmd/) & others=$$!; \
	go test -parallel 4 -timeout 22m ./cmd/...; command=$$?; \
	wait $$others && exit $$command

# The slow suites: the other systems, every fault against real servers, the fuzzers, and the release.
long:
	@if [ "$$(id -u)" = 0 ]; then scripts/real-servers.sh; fi
	$(MAKE) cross
	LONG=1 go test $(RACE) -count=1 -timeout 240m ./...
	$(MAKE) fuzz
	$(MAKE) release-check
	@if [ "$$(id -u)" = 0 ]; then $(MAKE) packages service; fi

# Every fuzzer for a minute.
fuzz:
	@grep -rnoE '^func Fuzz[A-Za-z0-9]+' --include='*_test.go' . | while IFS=: read -r file line name; do \
		echo "$${name#func } in $$(dirname $$file)"; \
		go test -run '^$$' -fuzz "^$${name#func }$$" -fuzztime 60s -fuzzminimizetime 1x "$$(dirname $$file)" || exit 1; \
	done

# What probing, scraping and idling cost.
bench:
	go test -run '^$$' -bench . -benchmem ./...

lint:
	go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION) run

# Does it compile for the other systems on which the lab is to run, tests included?
cross:
	GOOS=windows GOARCH=amd64 go vet ./...
	GOOS=darwin GOARCH=arm64 go vet ./...

# The Windows service, lived through under Wine, which is installed.
service:
	scripts/wine-service.sh

# Everything that a release publishes, into dist/; and the same twice, compared.
release:
	scripts/release.sh $(VERSION)
release-check:
	scripts/release-check.sh $(VERSION)

# The packages in dist/, lived through in a Debian with systemd that is made for it; needs root.
packages:
	scripts/package-check.sh dist/cx700-exporter_*_amd64.deb dist/cx700-exporter-*.x86_64.rpm

# A container image of the binary and nothing else.
image:
	docker build --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) \
		--build-arg CREATED=$$(TZ=UTC0 git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ) -t cx700_exporter:$(VERSION) .
