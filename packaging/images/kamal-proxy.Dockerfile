# The proxy and nothing else, as the command makes it for hosts. The context has `kamal-proxy-linux-ARCHITECTURE` of each
# kind of machine.
FROM debian:trixie-slim AS folders
# Volumes that are mounted here take the folders' owner, which is that of kamal-proxy's own image.
RUN install --directory --mode 1777 /made/tmp \
    && install --directory --owner 1001 --group 1001 \
        /made/home/kamal-proxy /made/home/kamal-proxy/.config /made/home/kamal-proxy/.config/kamal-proxy

FROM scratch
ARG TARGETARCH
COPY --from=folders /made/ /
COPY --chmod=755 kamal-proxy-linux-$TARGETARCH /usr/local/bin/kamal-proxy
USER 1001:1001
ENV PATH=/usr/local/bin HOME=/home/kamal-proxy
EXPOSE 80 443
LABEL org.opencontainers.image.title=kamal-proxy
CMD ["kamal-proxy", "run"]
