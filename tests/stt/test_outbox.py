"""What a worker decided, on its way to the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from voxbus.common import events as ev
from voxbus.common.bus import Bus, BusConfig
from voxbus.common.errors import BusClosed, BusUnavailable
from voxbus.common.events import Event
from voxbus.stt.outbox import Outbox

Ask = Callable[..., list[Event]]


def _utterance(sid: str, holder: int, turn: int) -> ev.Utterance:
    return ev.Utterance(
        call=sid,
        holder=holder,
        turn=turn,
        text="yes",
        start_media_ms=0,
        end_media_ms=500,
        ended_by="silence",
    )


async def test_it_is_empty_once_everything_is_in_the_log(bus: Bus, sid: str) -> None:
    holder = await bus.append(ev.Attached(call=sid, worker="w", nonce="n"))
    await bus.append(_utterance(sid, holder, 2))  # by somebody before us
    outbox = Outbox(bus, sid)
    assert outbox.empty
    for turn in (2, 3):
        outbox.put(_utterance(sid, holder, turn))
    assert not outbox.empty
    running = asyncio.create_task(outbox.run(holder))
    async with asyncio.timeout(30):
        while not outbox.empty:
            await asyncio.sleep(0.01)
    running.cancel()
    turns = [one.event.turn for one in await bus.read_log(sid) if isinstance(one.event, ev.Utterance)]
    assert turns == [2, 3]


async def test_what_the_log_did_not_take_is_still_in_it(bus: Bus, sid: str) -> None:
    holder = await bus.append(ev.Attached(call=sid, worker="w", nonce="n"))
    await bus.append(ev.Attached(call=sid, worker="other", nonce="m"))
    outbox = Outbox(bus, sid)
    outbox.put(_utterance(sid, holder, 2))
    async with asyncio.timeout(30):
        await outbox.run(holder)
    assert not outbox.empty


async def test_a_bus_that_is_closed_is_not_asked_again(
    nats_url: str, sid: str, ask_with_patience: Ask
) -> None:
    bus = await Bus.connect(BusConfig(url=nats_url))
    asked = ask_with_patience(bus)
    await bus.close()
    outbox = Outbox(bus, sid)
    outbox.put(_utterance(sid, 1, 2))
    with pytest.raises(BusClosed):
        await outbox.run(1)
    assert len(asked) == 1
    assert not outbox.empty


async def test_a_bus_that_refuses_at_once_is_asked_again_after_a_pause(
    bus: Bus, sid: str, ask_with_patience: Ask
) -> None:
    asked = ask_with_patience(bus, BusUnavailable("not now"))
    outbox = Outbox(bus, sid)
    outbox.put(_utterance(sid, 1, 2))
    running = asyncio.create_task(outbox.run(1))
    async with asyncio.timeout(30):
        while len(asked) < 2 and not running.done():
            await asyncio.sleep(0.01)
    assert not running.done()
    running.cancel()
