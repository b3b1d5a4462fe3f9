"""When a silent line ends its call: the clock is the test's, the bus is real, and goes away."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from voxbus.common import events as ev
from voxbus.common.agents import Agent
from voxbus.common.bus import Bus
from voxbus.common.bus.log import Log
from voxbus.common.fold import fold
from voxbus.stt.line_watch import LINE_LOST_S, LineWatch

if TYPE_CHECKING:
    from voxbus.devkit.nats_server import NatsServer


class Watched:
    def __init__(self, bus: Bus, sid: str, line: LineWatch, over: asyncio.Event) -> None:
        self._bus = bus
        self._sid = sid
        self.line = line
        self.over = over

    async def reasons(self) -> list[str]:
        """Why the call ended, once what is being done about it is done."""
        async with asyncio.timeout(60):
            while self.line._ending is not None:
                await asyncio.sleep(0.01)
        log = await self._bus.read_log(self._sid)
        return [stored.event.reason for stored in log if isinstance(stored.event, ev.Ended)]


@pytest.fixture
async def watched(bus: Bus, sid: str, agent: Agent) -> AsyncIterator[Watched]:
    await bus.append(ev.Started(call=sid, stream_sid="MZ", session="s", direction="inbound", agent=agent))
    over = asyncio.Event()
    line = LineWatch(bus, sid, fold(await bus.read_log(sid)), over.set, 0.0)
    yield Watched(bus, sid, line, over)
    await line.close()


async def until_connected(bus: Bus, wanted: bool) -> None:
    async with asyncio.timeout(60):
        while bus.connected != wanted:
            await asyncio.sleep(0.01)


async def test_a_line_without_frames_is_lost(watched: Watched) -> None:
    watched.line.look(LINE_LOST_S - 0.1)
    assert await watched.reasons() == []
    watched.line.look(LINE_LOST_S)
    assert await watched.reasons() == ["connection_lost"]
    assert not watched.over.is_set(), "the log says it"
    watched.line.look(2 * LINE_LOST_S)
    assert await watched.reasons() == ["connection_lost"]
    assert watched.over.is_set()


async def test_a_bus_that_was_away_is_no_silent_line(
    watched: Watched, bus: Bus, nats_server: NatsServer
) -> None:
    watched.line.look(5.0)
    nats_server.stop()
    await until_connected(bus, False)
    for now_s in (6.0, 20.0, 40.0):
        watched.line.look(now_s)
    nats_server.start()
    await until_connected(bus, True)
    watched.line.look(40.5)
    watched.line.look(40.0 + LINE_LOST_S - 0.1)
    assert await watched.reasons() == []
    watched.line.look(40.0 + LINE_LOST_S)
    assert await watched.reasons() == ["connection_lost"], "now it has been silent for so long"


async def test_a_bus_that_does_not_answer_holds_nothing_up(
    watched: Watched, nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(Log.append.__kwdefaults__ or {}, "timeout_s", 0.1)
    os.kill(nats_server.pid, signal.SIGSTOP)
    watched.line.look(LINE_LOST_S)
    watched.line.look(2 * LINE_LOST_S)  # one at a time
    async with asyncio.timeout(60):
        while watched.line._ending is not None:
            await asyncio.sleep(0.01)
    os.kill(nats_server.pid, signal.SIGCONT)
    assert not watched.over.is_set()
    monkeypatch.undo()
    watched.line.look(4 * LINE_LOST_S)
    # The first one may have been stored after all, when it was given up.
    assert await watched.reasons() == ["connection_lost"]
