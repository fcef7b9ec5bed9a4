# The command with everything it calls: docker to build images, git to tell versions, ssh for `ProxyCommand`. The context
# is what `cargo xtask dist` made.
#
#   docker run --rm -it -v "$PWD:/workdir" -v "$SSH_AUTH_SOCK:/agent" -e SSH_AUTH_SOCK=/agent \
#     -v /var/run/docker.sock:/var/run/docker.sock ghcr.io/kamal-rs/kamal deploy
FROM debian:trixie-slim
ARG TARGETARCH
RUN --mount=type=bind,target=/dist \
    apt-get update \
    && apt-get install --yes --no-install-recommends \
        ca-certificates docker-buildx docker-cli git openssh-client "/dist/$(cd /dist && ls kamal_*_"$TARGETARCH".deb)" \
    && rm -rf /var/lib/apt/lists/* \
    # The project belongs to somebody outside, which git would refuse to work with.
    && git config --system --add safe.directory '*'
WORKDIR /workdir
ENTRYPOINT ["kamal"]
