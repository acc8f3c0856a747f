# Laneway as a container: the package form, production dependencies, Node itself, and nothing else.
#
#   docker build -t laneway .
#   docker run --read-only -v laneway-data:/var/lib/laneway -p 4318:4318 laneway
#
# The last stage starts from nothing and gets the official Node binary, the shared libraries that it names, and the
# order in which host names are looked up (without that file glibc asks DNS before /etc/hosts). With the application
# that is 157 MiB, 57 MiB compressed, and no shell or package manager. It is smaller than node:24-alpine, which brings
# npm, yarn and a userland that nothing here calls, and it keeps the glibc build of Node, which Node's own release
# team tests; Alpine's is linked to musl, a lower support tier. SQLite, zstd and CA certificates are in the binary.

FROM node:24-bookworm-slim AS build
WORKDIR /app

# Dependencies first: this layer changes only with the lock file. No dependency of production has an install
# script, and the Node that the checkout carries for development is not wanted here.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

COPY scripts/prepack.ts scripts/
COPY src/ src/
COPY config/ config/
RUN node --disable-warning=ExperimentalWarning scripts/prepack.ts && rm -r src config scripts && mv build/* . && rmdir build

# Compiled code is kept beside the modules, from one start and stop, so that each later start skips compiling:
# ready in 150 ms where it was 190. The cache is valid for this very Node binary, these very paths and this very
# user, which is why all three are the same below. Node writes it 0600, and COPY will make root its owner.
ENV NODE_COMPILE_CACHE=/app/.compile-cache
RUN mkdir -p /var/lib/laneway .compile-cache && chown 65532:65532 /var/lib/laneway .compile-cache
USER 65532:65532
RUN cd /var/lib/laneway \
 && { node /app/src/main.js run --config /app/config/container.yaml & pid=$!; } \
 && for try in 1 2 3 4 5 6 7 8 9 10; do \
      sleep 1; node /app/src/main.js health --config /app/config/container.yaml && break; \
    done \
 && kill -TERM "$pid" && wait "$pid" \
 && find /var/lib/laneway -mindepth 1 -delete && chmod -R a+rX /app/.compile-cache

USER root
RUN mkdir -p /rootfs/etc && echo 'hosts: files dns' > /rootfs/etc/nsswitch.conf \
 && cp --parents /usr/local/bin/node /rootfs \
 && ldd /usr/local/bin/node | grep -o '/[^ ]*' | xargs cp -L --parents -t /rootfs

FROM scratch
COPY --from=build /rootfs /
COPY --from=build /app /app
COPY config/container.yaml /etc/laneway/laneway.yaml
# The number, not the name, so that Kubernetes' runAsNonRoot can see that it is not root.
COPY --from=build --chown=65532:65532 /var/lib/laneway /var/lib/laneway
USER 65532:65532

# The volume is the only place that must be writable. `storage.directory` is by default a folder beside the
# configuration file, so a file mounted at /etc/laneway says `storage: { directory: /var/lib/laneway }`.
WORKDIR /var/lib/laneway
VOLUME /var/lib/laneway

ENV NODE_COMPILE_CACHE=/app/.compile-cache
# 4318: OTLP/HTTP. 13133: the admin port, on loopback inside the container. 13134: health and metrics alone.
EXPOSE 4318 13133 13134
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["/usr/local/bin/node", "/app/src/main.js", "health"]
# Node is process 1 and gets SIGTERM itself; there is no shell in between that would swallow it.
ENTRYPOINT ["/usr/local/bin/node", "/app/src/main.js"]
