# lb and shortener in one small image; the command says which of them runs.
FROM debian:bookworm-slim AS build
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
    g++ cmake ninja-build pkgconf git libuv1-dev node-llhttp libyaml-cpp-dev libcli11-dev libfmt-dev libspdlog-dev \
    libexpected-dev nlohmann-json3-dev prometheus-cpp-dev libcurl4-openssl-dev zlib1g-dev libpq-dev libhiredis-dev \
    libssl-dev libxxhash-dev libqrencode-dev libpng-dev libidn2-dev doctest-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cmake --preset release && cmake --build --preset release --target lb shortener

FROM debian:bookworm-slim
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
    curl libuv1 libyaml-cpp0.7 libfmt9 libspdlog1.10 libprometheus-cpp-core1.0 libpq5 libhiredis0.14 libssl3 libxxhash0 \
    libqrencode4 libpng16-16 libidn2-0 \
    && rm -rf /var/lib/apt/lists/* && useradd --system --no-create-home holdfast \
    && install -d -o holdfast -g holdfast /var/lib/holdfast
COPY --from=build /src/build/release/bin/lb /src/build/release/bin/shortener /usr/local/bin/
USER holdfast
CMD ["lb", "--help"]
