# lb and shortener in one small image; the command says which of them runs. docs/containers.md says how it is used.
#   docker build --build-arg REVISION="$(git describe --always --dirty --abbrev=10)" -t holdfast:0.1.0 .
FROM debian:trixie-slim AS build
WORKDIR /src
# The packages alone first: they are installed anew only where their list has changed.
COPY ops/install ops/packages ops/
RUN ops/install build
COPY . .
ARG REVISION=
RUN cmake --preset release && HOLDFAST_REVISION="$REVISION" cmake --build --preset release --target lb shortener \
    && strip build/release/bin/lb build/release/bin/shortener

FROM debian:trixie-slim
# curl is for health checks.
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
    curl libuv1t64 libllhttp9.2 libyaml-cpp0.8 libfmt10 libspdlog1.15 libprometheus-cpp-core1.0 libpq5 libhiredis1.1.0 libssl3t64 \
    libxxhash0 libqrencode4 libpng16-16t64 libidn2-0 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 holdfast && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin holdfast \
    && install -d -o holdfast -g holdfast /var/lib/holdfast/clicks
COPY --from=build /src/build/release/bin/lb /src/build/release/bin/shortener /usr/local/bin/
# By number: Kubernetes' runAsNonRoot does not read names.
USER 10001:10001
STOPSIGNAL SIGTERM
CMD ["lb", "--help"]
ARG REVISION=
LABEL org.opencontainers.image.title="holdfast" \
      org.opencontainers.image.description="lb, a load balancer that drops nothing, and shortener, the URL shortener behind it" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="$REVISION"
