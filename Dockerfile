# syntax=docker/dockerfile:1
# docker build --build-arg VERSION=1.2.3 -t tenure:1.2.3 .
FROM --platform=$BUILDPLATFORM golang:1.26.8-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unreleased
ARG TARGETOS
ARG TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$VERSION" -o /out/tenure ./cmd/tenure \
    && mkdir -p -m 700 /out/folders/data

# Certificates of the authorities, for mail servers and KurrentDB over TLS, and
# time zones are in this image; a shell is not.
FROM gcr.io/distroless/static-debian13:nonroot
ARG VERSION=unreleased
LABEL org.opencontainers.image.title="Tenure" \
      org.opencontainers.image.description="Who belongs to which organization, in which role, since when and by whose decision." \
      org.opencontainers.image.version=$VERSION
COPY --from=build /out/tenure /usr/local/bin/tenure
# A new named volume takes over owner and mode, a tmpfs the mode. Copied with the
# folder that it is in, since COPY gives the folder it makes itself mode 755.
COPY --from=build --chown=65532:65532 /out/folders/ /
USER 65532:65532
ENV TENURE_LISTEN=:8080 TENURE_DATA=/data
VOLUME /data
EXPOSE 8080
# Whether it lives, not whether it is ready: where this kills a container, as in
# Swarm, a new one would not be any readier while the log or the disk is away.
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["/usr/local/bin/tenure", "health", "--live"]
ENTRYPOINT ["/usr/local/bin/tenure"]
CMD ["serve"]
