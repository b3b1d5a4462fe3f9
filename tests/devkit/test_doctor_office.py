"""What the doctor says of scheduler and reporter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from voxbus.devkit.carrier import Exchange, RestApi
from voxbus.devkit.commands.doctor import examine
from voxbus.devkit.docs.configuration import settings_classes
from voxbus.devkit.doctor import office
from voxbus.devkit.local_carrier import LocalCarrier

TOKEN = "t0ken"


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture
async def carrier() -> AsyncIterator[LocalCarrier]:
    async with LocalCarrier("https://voice.example") as carrier:
        yield carrier


def scheduler(**changes: str) -> dict[str, Any]:
    names = (*office.NEEDED_TO_DIAL, "TWILIO_API_URL")
    values: dict[str, Any] = {name.lower(): changes.get(name, "") for name in names}
    token = values["twilio_auth_token"]
    return values | {"twilio_auth_token": SecretStr(token) if token else None}


def test_the_scheduler_needs_what_the_doctor_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in office.NEEDED_TO_DIAL:
        monkeypatch.delenv(name, raising=False)
    settings: Any = settings_classes()["scheduler"]()
    assert settings.missing_for_calls().split(", ") == list(office.NEEDED_TO_DIAL)


def test_who_may_order() -> None:
    assert office.orders(SecretStr("s")).verdict == "ok"
    assert "SCHEDULER_SECRET" in office.orders(None).text


async def test_calls_out_without_an_account(http: httpx.AsyncClient) -> None:
    finding = await office.calls_out(scheduler(PUBLIC_URL="https://voice.example"), http)
    assert finding.verdict == "missing"
    assert finding.text.endswith("TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN, TWILIO_FROM_NUMBER")


async def test_the_carrier_is_asked_about_the_account(
    http: httpx.AsyncClient, carrier: LocalCarrier, unused_tcp_port: int
) -> None:
    good = carrier.environment
    known = await office.calls_out(scheduler(**good), http)
    assert (known.verdict, known.text) == ("ok", f"TWILIO_API_URL {good['TWILIO_API_URL']} knows the account")
    refused = await office.calls_out(scheduler(**good | {"TWILIO_AUTH_TOKEN": "another"}), http)
    assert (refused.verdict, "refuses" in refused.text) == ("broken", True)
    stranger = await office.calls_out(scheduler(**good | {"TWILIO_ACCOUNT_SID": "AC" + "1" * 32}), http)
    assert stranger.verdict == "broken"
    nobody = f"http://127.0.0.1:{unused_tcp_port}"
    silent = await office.calls_out(scheduler(**good | {"TWILIO_API_URL": nobody}), http)
    assert (silent.verdict, "does not answer" in silent.text) == ("broken", True)
    assert good["TWILIO_AUTH_TOKEN"] not in f"{known}{refused}{stranger}{silent}"


async def test_a_database_in_a_file(tmp_path: Path) -> None:
    new = await office.database(f"sqlite:///{tmp_path}/new/calls.db", chosen=True)
    assert (new.verdict, new.text) == ("ok", f"the file {tmp_path}/new/calls.db, for one scheduler")
    default = await office.database("sqlite:///var/scheduler.db", chosen=False)
    assert (default.verdict, "keeps its own" in default.text) == ("ok", True)
    (tmp_path / "file").touch()
    for wrong in (tmp_path, tmp_path / "file" / "calls.db"):
        broken = await office.database(f"sqlite:///{wrong}", chosen=True)
        assert (broken.verdict, "cannot be written" in broken.text) == ("broken", True)
    for memory in ("sqlite://", "sqlite:///:memory:"):
        assert (await office.database(memory, chosen=True)).verdict == "broken"


async def test_a_database_on_a_server(unused_tcp_port: int) -> None:
    url = f"postgresql://voxbus:hush@127.0.0.1:{unused_tcp_port}/voxbus"
    missing = await office.database(url, chosen=True)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", unused_tcp_port)
    async with server:
        there = await office.database(url, chosen=True)
    assert (missing.verdict, there.verdict) == ("broken", "ok")
    assert "hush" not in f"{missing}{there}"


async def test_reports(http: httpx.AsyncClient, unused_tcp_port: int) -> None:
    nowhere = await office.reports("", None, http)
    assert (nowhere.verdict, "API_URL and AGENT_SHARED_SECRET" in nowhere.text) == ("missing", True)
    unsigned = await office.reports("https://backend.example", None, http)
    assert unsigned.text.startswith("without AGENT_SHARED_SECRET no report is delivered")
    silent = await office.reports(f"http://127.0.0.1:{unused_tcp_port}", SecretStr("s"), http)
    assert silent.verdict == "broken"
    async with RestApi(Exchange(auth_token=TOKEN)) as backend:  # any server: it need not know the address
        there = await office.reports(backend.url, SecretStr("s"), http)
        rotating = await office.reports(backend.url, SecretStr("old,new"), http)
    assert (there.verdict, there.text) == ("ok", f"signed, to {backend.url}, which answers")
    assert (rotating.verdict, "two secrets" in rotating.text) == ("ok", True)


async def test_all_of_it_is_examined(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "API_URL",
        "AGENT_SHARED_SECRET",
        "SCHEDULER_SECRET",
        "DATABASE_URL",
        *office.NEEDED_TO_DIAL,
    ):
        monkeypatch.delenv(name, raising=False)
    verdicts = {finding.capability: finding.verdict for finding in await examine()}
    assert {name: verdicts[name] for name in ("orders", "calls out", "database", "reports")} == {
        "orders": "missing", "calls out": "missing", "database": "ok", "reports": "missing",
    }  # fmt: skip
