"""What ``voxbus doctor`` says of scheduler and reporter: who may order calls, who places them, who is told of them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from voxbus.devkit.account import Account, Trouble
from voxbus.devkit.doctor.findings import Finding

#: Without one of these the scheduler places no call.
NEEDED_TO_DIAL = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_FROM_NUMBER", "PUBLIC_URL")

_TIMEOUT_S = 10.0
_BY_UP = "`voxbus up` makes one for each of its runs"


def orders(secret: SecretStr | None) -> Finding:
    """Whether somebody may order calls."""
    if secret is None:
        text = "SCHEDULER_SECRET is not set: the scheduler takes no orders and shows no calls"
        return Finding("orders", "missing", text, f"set it to a long random text; {_BY_UP}")
    return Finding("orders", "ok", "SCHEDULER_SECRET is set: who has it may order calls")


async def calls_out(values: Mapping[str, Any], http: httpx.AsyncClient) -> Finding:
    """Whether calls can be placed, and whether the carrier knows the account. ``values``: the scheduler's settings."""
    capability = "calls out"
    missing = [name for name in NEEDED_TO_DIAL if not values[name.lower()]]
    if missing:
        remedy = "all but PUBLIC_URL are in Twilio's console; `voxbus up --carrier` needs none of them"
        return Finding(capability, "missing", f"no call can be placed without {', '.join(missing)}", remedy)
    sid, token = values["twilio_account_sid"], values["twilio_auth_token"].get_secret_value()
    account = Account(sid, token, http, values["twilio_api_url"])
    try:
        view = await account.view()
    except Trouble as trouble:
        return Finding(capability, "broken", trouble.text, trouble.remedy)
    trial = "; a trial one, which rings verified numbers only" if view.is_trial else ""
    return Finding(capability, "ok", f"{account.where} knows the account{trial}")


async def database(url: str, *, chosen: bool) -> Finding:
    """Where orders are kept, and whether that can be reached. ``chosen``: somebody has set ``url``."""
    parts = urlsplit(url)
    if parts.scheme.startswith("sqlite"):
        return _file(parts.path.removeprefix("/"), chosen=chosen)
    where = f"{parts.hostname or 'localhost'}:{parts.port or 5432}"
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            _, writer = await asyncio.open_connection(parts.hostname or "localhost", parts.port or 5432)
    except (OSError, TimeoutError):
        text = f"nothing answers at {where}, which DATABASE_URL names"
        return Finding("database", "broken", text, "is PostgreSQL running, and may we reach it?")
    writer.close()
    return Finding("database", "ok", f"PostgreSQL at {where}, which several schedulers may share")


def _file(name: str, *, chosen: bool) -> Finding:
    if name in ("", ":memory:"):
        text = "DATABASE_URL names a database in memory: a scheduler that is started again knows of no call"
        return Finding("database", "broken", text, "name a file: sqlite:///FILE")
    path = Path(name).absolute()
    place = path if path.exists() else next(parent for parent in path.parents if parent.exists())
    if path.is_dir() or not (path.exists() or place.is_dir()) or not os.access(place, os.W_OK):
        return Finding(
            "database", "broken", f"{place} cannot be written", "the scheduler has to; or set DATABASE_URL"
        )
    own = "" if chosen else "; `voxbus up` keeps its own"
    return Finding("database", "ok", f"the file {path}, for one scheduler{own}")


async def reports(api_url: str, secret: SecretStr | None, http: httpx.AsyncClient) -> Finding:
    """Whether reports can be delivered, and whether somebody is there who takes them."""
    missing = [name for name, value in (("API_URL", api_url), ("AGENT_SHARED_SECRET", secret)) if not value]
    if missing:
        text = f"without {' and '.join(missing)} no report is delivered; calls are archived"
        remedy = "`voxbus up` delivers to its own scheduler, with a secret of its own"
        return Finding(
            "reports", "missing", text, f"name the backend and the secret that it shares; {remedy}"
        )
    try:
        await http.get(api_url, timeout=_TIMEOUT_S)
    except httpx.HTTPError as error:
        text = f"API_URL {api_url} does not answer ({type(error).__name__})"
        return Finding(
            "reports", "broken", text, "reports that are lost meanwhile: `voxbus reports replay --all`"
        )
    rotating = secret is not None and "," in secret.get_secret_value()
    signed = "signed with the first of two secrets, both are accepted" if rotating else "signed"
    return Finding("reports", "ok", f"{signed}, to {api_url}, which answers")
