"""The checks of ``voxbus doctor``. Each looks at one capability and never raises: what fails is the finding."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from voxbus.common.agent_files import load_agents
from voxbus.common.bus import Bus, BusConfig
from voxbus.common.errors import AgentError, BusUnavailable, LoginRefused, SettingsError
from voxbus.common.settings import ServiceSettings, load
from voxbus.devkit.doctor.findings import Finding

#: The gateway answers ``GET /health?nonce=N`` with this header set to N, so that one knows who answered.
NONCE_HEADER = "x-voxbus-nonce"

TIMEOUT_S = 10.0

#: What synthesis may take after the first words.
_SPEECH_S = 2.0

Loaded = Mapping[str, ServiceSettings]


def settings(
    classes: Mapping[str, type[ServiceSettings]],
) -> tuple[dict[str, ServiceSettings], list[Finding]]:
    """The settings of every installed service, and what is wrong with them."""
    loaded: dict[str, ServiceSettings] = {}
    findings = []
    for name, cls in classes.items():
        try:
            loaded[name] = load(cls)
        except SettingsError as error:
            findings.append(Finding(f"settings of {name}", "broken", str(error), "see docs/configuration.md"))
    if loaded:
        findings.insert(0, Finding("settings", "ok", f"readable for {', '.join(sorted(loaded))}"))
    return loaded, findings


async def nats(config: BusConfig) -> Finding:
    try:
        bus = await Bus.connect(config)
    except BusUnavailable:
        remedy = "`voxbus up` brings its own; else start nats-server with JetStream, or set NATS_URL"
        return Finding("NATS", "missing", f"nothing answers at {config.where}", remedy)
    except LoginRefused as error:
        remedy = "the operator's key of `voxbus up` is in var/up/keys: start `voxbus doctor` where you started that"
        return Finding("NATS", "broken", str(error), remedy)
    await bus.close()
    return Finding("NATS", "ok", f"answers at {config.where}")


def agents(directory: Path, persona: str) -> Finding:
    try:
        found = load_agents(directory)
    except AgentError as error:
        return Finding(
            "agents", "broken", str(error), "mend the file; `python -m voxbus.common.agent_files` checks it"
        )
    names = ", ".join(sorted(found))
    if persona not in found:
        return Finding(
            "agents", "broken", f"PERSONA is {persona!r}; there are {names}", "set PERSONA to one of them"
        )
    return Finding("agents", "ok", f"{names}; calls that name none get {persona}")


def twilio(token: SecretStr | None, *, validate: bool, public_url: str) -> Finding:
    if not validate:
        if public_url:
            text = "TWILIO_VALIDATE is off, and PUBLIC_URL is set: anybody may send calls"
            return Finding(
                "Twilio", "broken", text, "set TWILIO_AUTH_TOKEN and take TWILIO_VALIDATE=off away"
            )
        return Finding(
            "Twilio", "ok", "TWILIO_VALIDATE is off: requests are taken from anybody, without a signature"
        )
    if token is None:
        return Finding(
            "Twilio",
            "missing",
            "TWILIO_AUTH_TOKEN is not set: the Twilio routes answer 503",
            "copy the auth token from the start page of Twilio's console",
        )
    return Finding("Twilio", "ok", "TWILIO_AUTH_TOKEN is set, signatures are checked")


async def public_url(url: str, http: httpx.AsyncClient) -> Finding:
    """Whether the URL leads to a gateway of ours, seen from here."""
    capability = "public URL"
    if not url:
        remedy = "open a tunnel to the gateway's port and set PUBLIC_URL to its https address"
        return Finding(
            capability, "missing", "PUBLIC_URL is not set: no telephone reaches this machine", remedy
        )
    if urlsplit(url).scheme != "https":
        return Finding(
            capability, "broken", f"{url} is not https: media streams need TLS", "use the https address"
        )
    nonce = secrets.token_hex(8)
    try:
        response = await http.get(f"{url.rstrip('/')}/health", params={"nonce": nonce}, timeout=TIMEOUT_S)
    except httpx.HTTPError as error:
        remedy = "is the tunnel open, and does the name resolve?"
        return Finding(capability, "broken", f"{url} does not answer ({type(error).__name__})", remedy)
    if response.headers.get(NONCE_HEADER) != nonce:
        return Finding(
            capability,
            "broken",
            f"something answers at {url} with status {response.status_code}, but it is not our gateway",
            "is `voxbus up` running, and does the tunnel lead to its port?",
        )
    return Finding(capability, "ok", f"{url} leads to our gateway")


def providers(loaded: Loaded) -> Iterator[Finding]:
    """Who recognizes, thinks and speaks, and which keys are there."""
    for name, values in sorted(loaded.items()):
        fields = type(values).model_fields
        chosen = {field.upper(): getattr(values, field) for field in fields if field.endswith("_providers")}
        if not chosen:
            continue
        keys = [field for field in fields if field.endswith("_api_key")]
        given = [field.upper() for field in keys if getattr(values, field) is not None]
        text = ", ".join(f"{variable} is {value or 'not set'}" for variable, value in chosen.items())
        effective = getattr(values, "providers", "")  # where it follows from other variables
        chosen_is = f", which means {effective}" if effective and effective not in chosen.values() else ""
        yield Finding(name, "ok", f"{text}{chosen_is}; keys: {', '.join(given) or 'none'}")


def patience(loaded: Loaded) -> Iterator[Finding]:
    """Whether the gateway gives up on an answer before the LLM worker does."""
    gateway, llm = loaded.get("gateway"), loaded.get("llm")
    if gateway is None or llm is None:
        return
    waits_s, thinks_s = (
        gateway.model_dump()["no_reply_seconds"],
        llm.model_dump()["llm_first_token_ms"] / 1000,
    )
    if waits_s <= thinks_s + _SPEECH_S:
        text = f"callers are told that nobody is there after {waits_s:g} s (NO_REPLY_SECONDS), while a model may take "
        remedy = f"set NO_REPLY_SECONDS to {thinks_s + 2 * _SPEECH_S:g} or more"
        yield Finding("patience", "broken", f"{text}{thinks_s:g} s (LLM_FIRST_TOKEN_MS)", remedy)
