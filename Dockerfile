# syntax=docker/dockerfile:1
FROM golang:1.26 AS build
ARG VERSION=unknown
ARG REVISION=unknown
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN make build VERSION="$VERSION" REVISION="$REVISION"

FROM scratch
COPY --from=build /src/cx700_exporter /cx700_exporter
LABEL org.opencontainers.image.licenses=Apache-2.0
USER 65532:65532
EXPOSE 10700
ENTRYPOINT ["/cx700_exporter"]
CMD ["--config.file=/etc/cx700_exporter/cx700.yml"]
