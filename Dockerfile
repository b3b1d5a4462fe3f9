# One image a service: docker build --build-arg SERVICE=gateway .   (gateway, stt, llm, tts, scheduler, reporter; and devkit,
# the `voxbus` command)

FROM ghcr.io/astral-sh/uv:latest AS uv

# Only what decides about dependencies, so that the layer below is built anew when that changes and not with every line
# of code. The workspace has one lock file: all its members must be there, also those that this image leaves out.
FROM python:3.13-slim AS manifests
WORKDIR /src
COPY . .
RUN find . -type f ! -name pyproject.toml ! -name uv.lock -delete && find . -type d -empty -delete

# Only the sources of this image, for the same reason.
FROM python:3.13-slim AS sources
WORKDIR /src
ARG SERVICE
COPY . .
RUN case "$SERVICE" in \
        "") echo "say which: --build-arg SERVICE=gateway"; exit 1 ;; \
        devkit) set -- tools/devkit services/llm services/reporter services/scheduler ;; \
        *) set -- "services/$SERVICE" ;; \
    esac && mkdir /picked && cp -r --parents libs "$@" /picked

FROM python:3.13-slim AS build
COPY --from=uv /uv /usr/local/bin/uv
ENV UV_PROJECT_ENVIRONMENT=/app UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_CACHE_DIR=/var/cache/uv
WORKDIR /src
ARG SERVICE
COPY --from=manifests /src .
RUN --mount=type=cache,target=/var/cache/uv \
    uv sync --locked --no-dev --no-install-workspace --package "voxbus-$SERVICE"
COPY --from=sources /picked .
RUN --mount=type=cache,target=/var/cache/uv \
    uv sync --locked --no-dev --no-editable --package "voxbus-$SERVICE"

FROM python:3.13-slim
# /srv/var: what a service keeps in files; a volume that is mounted there takes over its owner.
RUN useradd --system --no-create-home --uid 10001 voxbus && install -d -o voxbus /srv/var
COPY --from=build /app /app
COPY LICENSE NOTICE /usr/share/doc/voxbus/
COPY agents /srv/agents
WORKDIR /srv
ARG SERVICE
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 SERVICE=$SERVICE GATEWAY_HOST=0.0.0.0 SCHEDULER_HOST=0.0.0.0 METRICS_HOST=0.0.0.0 METRICS_PORT=9100
USER voxbus
# Its own port, on the loopback of the container: nobody outside can ask.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['METRICS_PORT']}/ready\", timeout=2)"]
# exec: the service is process 1 and gets the signal that asks it to drain.
CMD ["sh", "-c", "exec python -m voxbus.$SERVICE"]
# Last: what it is built from changes nothing above.
ARG REVISION
LABEL org.opencontainers.image.title="voxbus $SERVICE" org.opencontainers.image.licenses=Apache-2.0 org.opencontainers.image.revision=$REVISION
