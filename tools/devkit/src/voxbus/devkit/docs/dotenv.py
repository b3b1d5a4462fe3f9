""".env.example: every variable that docker-compose.yml passes on, and those that are its own."""

from __future__ import annotations

import textwrap
from typing import Final

from voxbus.devkit.docs.configuration import Setting, readers

#: The same in every container, set by the image or by docker-compose.yml: not for .env.
FIXED: Final = frozenset(
    """
    AGENTS_DIR GATEWAY_HOST GATEWAY_PORT METRICS_HOST METRICS_PORT NATS_NKEY_FILE NATS_PASSWORD NATS_URL NATS_USER
    SCHEDULER_HOST SCHEDULER_PORT SECRETS_DIR WORKER_ID
    """.split()  # noqa: SIM905 - a list of words reads better than 13 strings
)

#: What one container must know of another is the default there.
WIRED: Final = {
    "API_URL": "http://scheduler:8090",
    "TRUSTED_PROXIES": "127.0.0.1,::1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16",
}

#: What only docker-compose.yml reads: variable, default, meaning.
OWN: Final = (
    (
        "COMPOSE_PROFILES",
        "",
        "What runs besides, separated by commas: `simulate`, `postgres`, `tunnel`, `local-models`.",
    ),
    ("GATEWAY_PORT", "8080", "The port on this machine: webhooks, media streams and the browser phone."),
    ("SCHEDULER_PORT", "8090", "The port on this machine of the scheduler's API."),
    (
        "PROXY_PUBLISH",
        "127.0.0.1:8080:8080",
        "Where the proxy is published. To the world, with a certificate of its own: `443:8443`, and `SITE`.",
    ),
    (
        "SITE",
        "http://:8080",
        "What the proxy answers to. `https://voice.example.com`: it fetches a certificate for that name, on port 443.",
    ),
    (
        "PROXY_TRUSTS",
        "private_ranges",
        "Whose X-Forwarded-* the proxy hands on: a tunnel on this machine or in a container. Published to the world, "
        "and where clients seem to be on a private network (rootless engines, IPv6): `127.0.0.1/32`.",
    ),
    (
        "TUNNEL_TOKEN",
        "",
        "The token of a Cloudflare tunnel with a name of its own; unset = a name for the day.",
    ),
    ("LOCAL_MODELS_MEMORY", "8g", "How much each of the servers of local models may have."),
    (
        "SIMULATED_CARRIER",
        "",
        "Not empty: no real telephone. `deploy/simulate.env` sets it and what it needs.",
    ),
    *(
        (
            f"SCALE_{service.upper()}",
            "1",
            f"Containers of {service}; `--scale {service}=2` is for one `up` only.",
        )
        for service in ("gateway", "stt", "llm", "tts", "reporter")
    ),
    ("SCALE_SCHEDULER", "1", "More than one needs PostgreSQL: profile `postgres`, `DATABASE_URL`."),
    ("VOXBUS_TAG", "latest", "The tag of our images."),
    ("REVISION", "", "What the images are built from, for their label."),
)

_INTRO = """\
# Settings of `docker compose up`: copy this file to .env and uncomment what you change. `make up` reads .env too.
# Made by `make docs` from the settings classes. Do not edit.
#
# Nothing here is needed for a local stack: http://localhost:8080/phone answers without any of it, and secrets that are
# not set are made at the first start (`docker compose exec scheduler cat /run/voxbus/scheduler_secret`). What the tools
# of your agents need goes into tools.env (docs/agents.md).
"""


def page() -> str:
    parts = [_INTRO, _head("docker-compose.yml itself")]
    parts += [_entry(variable, default, meaning) for variable, default, meaning in OWN]
    groups: dict[str, list[Setting]] = {}
    for setting, services in readers().items():
        if setting.variable not in FIXED:
            groups.setdefault(", ".join(services), []).append(setting)
    for who, settings in groups.items():
        parts.append(_head(who))
        parts += [_entry(setting.variable, _value(setting), setting.meaning) for setting in settings]
    return "\n".join(parts)


def _value(setting: Setting) -> str:
    default = WIRED.get(setting.variable, setting.default)
    literal = default.strip("`")
    return literal if setting.variable in WIRED or default != literal else ""


def _head(text: str) -> str:
    return f"\n# --- {text} ---\n"


def _entry(variable: str, default: str, meaning: str) -> str:
    lines = textwrap.wrap(meaning, 117, break_long_words=False, break_on_hyphens=False)
    return "\n".join([*(f"# {line}" for line in lines), f"#{variable}={default}", ""])
