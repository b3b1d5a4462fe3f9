"""``voxbus doctor``: what is configured, what is missing, in plain words."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import Sequence

import httpx

from voxbus.common.errors import SettingsError
from voxbus.devkit import terminal
from voxbus.devkit.docs.configuration import settings_classes
from voxbus.devkit.doctor import checks, office, tools
from voxbus.devkit.doctor import live as requests
from voxbus.devkit.doctor.findings import Finding
from voxbus.devkit.operator_login import bus_config
from voxbus.llm.tools import Environment

_COLOURS = {"ok": "green", "missing": "yellow", "broken": "red"}


DESCRIPTION = (
    "Looks at the environment as the services would see it. Exit status 1 when something is wrong; what is only "
    "missing is no error."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The environment says everything else."""
    parser.add_argument(
        "--live", action="store_true", help="one tiny real request to each provider, and how long it took"
    )


def main(arguments: argparse.Namespace) -> int:
    findings = asyncio.run(examine(live=arguments.live))
    for finding in findings:
        print(text(finding))
    return 1 if any(finding.verdict == "broken" for finding in findings) else 0


async def examine(*, live: bool = False) -> Sequence[Finding]:
    loaded, findings = checks.settings(settings_classes())
    with contextlib.suppress(SettingsError):  # said already, of each service
        findings.append(await checks.nats(bus_config()))
    gateway = loaded.get("gateway")
    if gateway is not None:
        values = gateway.model_dump()
        findings.append(checks.agents(values["agents_dir"], values["persona"]))
        validate, public = values["twilio_validate"] == "on", values["public_url"]
        findings.append(checks.twilio(values["twilio_auth_token"], validate=validate, public_url=public))
        async with httpx.AsyncClient() as http:
            findings.append(await checks.public_url(public, http))
    findings.extend(checks.providers(loaded))
    if "llm" in loaded:
        values = loaded["llm"].model_dump()
        findings.extend(tools.tools(values["agents_dir"], Environment.of_worker(loaded["llm"])))
    findings.extend(checks.patience(loaded))
    if live:
        findings.extend([finding async for finding in requests.live(loaded)])
    findings.extend(await _office(loaded))
    return findings


async def _office(loaded: checks.Loaded) -> list[Finding]:
    findings = []
    async with httpx.AsyncClient() as http:
        if "scheduler" in loaded:
            values = loaded["scheduler"].model_dump()
            findings.append(office.orders(values["scheduler_secret"]))
            findings.append(await office.calls_out(values, http))
            chosen = "database_url" in loaded["scheduler"].model_fields_set
            url = values["database_url"].get_secret_value()
            findings.append(await office.database(url, chosen=chosen))
        if "reporter" in loaded:
            values = loaded["reporter"].model_dump()
            findings.append(await office.reports(values["api_url"], values["agent_shared_secret"], http))
    return findings


def text(finding: Finding) -> str:
    verdict = terminal.coloured(f"{finding.verdict:<8}", _COLOURS[finding.verdict])
    remedy = f"\n{'':<26}-> {finding.remedy}" if finding.remedy else ""
    return f"{finding.capability:<18}{verdict}{finding.text}{remedy}"
