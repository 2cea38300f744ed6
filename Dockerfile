# syntax=docker/dockerfile:1
# The image is the program, the roots by which it verifies others, and a folder for its state. One is built for each
# platform: docker buildx build --platform linux/amd64,linux/arm64 .
ARG GO_VERSION=1.26.8
FROM --platform=$BUILDPLATFORM golang:${GO_VERSION} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH
ARG VERSION=unknown
ARG REVISION=unknown
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH GOFLAGS=-buildvcs=false scripts/build.sh /out/cx700_exporter "$VERSION" "$REVISION" && \
	mkdir /out/state

FROM scratch
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title=cx700_exporter \
	org.opencontainers.image.description="Tells Prometheus whether Polycom CX700 phones can sign in, and what stops them." \
	org.opencontainers.image.source=https://github.com/cx700/cx700_exporter \
	org.opencontainers.image.licenses=Apache-2.0 \
	org.opencontainers.image.version=$VERSION \
	org.opencontainers.image.revision=$REVISION \
	org.opencontainers.image.created=$CREATED
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build --chown=65532:65532 /out/state /var/lib/cx700_exporter
COPY --from=build /out/cx700_exporter /cx700_exporter
# So that cx700_exporter is enough behind docker exec and kubectl exec.
ENV PATH=/
USER 65532:65532
EXPOSE 10700
# Who serves elsewhere, or by TLS, says so to both in CX700_WEB_LISTEN_ADDRESS and CX700_WEB_CONFIG_FILE.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 CMD ["/cx700_exporter", "healthcheck"]
ENTRYPOINT ["/cx700_exporter"]
CMD ["serve", "--config.file=/etc/cx700_exporter/cx700.yml"]
