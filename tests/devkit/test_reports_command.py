"""``voxbus reports`` as it is typed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from voxbus.common.agents import Agent
from voxbus.common.bus import Bus
from voxbus.common.events import Ended, ReportDelivered, ReportLost, Started
from voxbus.common.fold import fold
from voxbus.devkit.carrier.http import HttpServer, Request, Response
from voxbus.devkit.cli import main
from voxbus.reporter import ledger


class Backend:
    def __init__(self) -> None:
        self.status = 200
        self.requests: list[Request] = []

    async def answer(self, request: Request) -> Response:
        self.requests.append(request)
        return Response(self.status, b"")


@pytest.fixture
async def backend(nats_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Backend]:
    backend = Backend()
    async with HttpServer(backend.answer) as server:
        monkeypatch.setenv("NATS_URL", nats_url)
        monkeypatch.setenv("API_URL", server.url)
        monkeypatch.setenv("AGENT_SHARED_SECRET", "secret")
        yield backend


@pytest.fixture
async def lost(bus: Bus, new_sid: Callable[[], str], agent: Agent) -> list[str]:
    """Two calls whose reports nobody took."""
    sids = [new_sid(), new_sid()]
    for sid in sids:
        await bus.append(Started(call=sid, stream_sid="MZ", session="s", direction="inbound", agent=agent))
        await bus.append(Ended(call=sid, reason="caller_hung_up"))
        await bus.append(ReportLost(call=sid, attempts=4, error="HTTP 503"))
        await ledger.index(bus, await bus.read_log(sid))
    return sids


async def voxbus(*arguments: str) -> int:
    # In a thread: the command has a loop of its own.
    return await asyncio.to_thread(main, ["reports", *arguments])


async def test_lost_reports_are_listed(
    backend: Backend, lost: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert await voxbus("lost") == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[1:] for line in shown] == [[sid, "HTTP 503 after 4 attempts"] for sid in lost]


async def test_a_report_can_be_looked_at(
    backend: Backend, lost: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert await voxbus("show", lost[0]) == 0
    shown: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (shown["callSid"], shown["outcome"]) == (lost[0], "completed")
    assert backend.requests == []


async def test_one_is_delivered(
    backend: Backend, lost: list[str], bus: Bus, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await voxbus("replay", lost[0]) == 0
    assert capsys.readouterr().out == f"{lost[0]}  HTTP 200\n1 of 1 delivered\n"
    assert [entry.call_sid for entry in await ledger.lost(bus)] == [lost[1]]
    assert isinstance(fold(await bus.read_log(lost[0])).reported, ReportDelivered)


async def test_all_are_delivered_once_the_backend_is_back(
    backend: Backend, lost: list[str], bus: Bus, capsys: pytest.CaptureFixture[str]
) -> None:
    backend.status = 503
    assert await voxbus("replay", "--all") == 1
    assert capsys.readouterr().out.endswith("0 of 2 delivered\n")
    backend.status = 200
    assert await voxbus("replay", "--all") == 0
    assert await voxbus("lost") == 0
    assert capsys.readouterr().out.endswith("2 of 2 delivered\nno report is lost\n")
    assert {request.headers["idempotency-key"] for request in backend.requests} == set(lost)


async def test_what_cannot_be_done_is_said_in_one_line(
    backend: Backend, sid: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await voxbus("show", "CA.*") == 1
    assert await voxbus("show", sid) == 1
    assert await voxbus("replay", sid) == 1
    monkeypatch.setenv("API_URL", "")
    assert await voxbus("replay", "--all") == 1
    errors = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[2][:20] for line in errors] == [
        "not a CallSid: expec",
        "neither the log nor ",
        "set API_URL, as the ",
    ]
