"""A call's events on their way to the log, when the bus does not take them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from voxbus.common import events as ev
from voxbus.common.bus import Bus, BusConfig
from voxbus.common.errors import BusUnavailable
from voxbus.common.events import Event
from voxbus.common.logs import get_logger
from voxbus.gateway import publisher as publisher_module
from voxbus.gateway.publisher import Publisher, Unsent

from .twilio import counted

if TYPE_CHECKING:
    from voxbus.devkit.nats_server import NatsServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

Ask = Callable[..., list[Event]]


def key(sid: str, sequence: int = 1) -> ev.Dtmf:
    return ev.Dtmf(call=sid, stream_sid="MZ", sequence=sequence, digit="1", media_ms=20 * sequence)


async def test_a_bus_that_is_closed_is_not_asked_again(
    nats_server: NatsServer, sid: str, ask_with_patience: Ask
) -> None:
    closed = await Bus.connect(BusConfig(url=nats_server.url))
    await closed.close()
    asked = ask_with_patience(closed)
    publisher = Publisher(closed, get_logger(__name__))
    for sequence in (1, 2):
        publisher.put(key(sid, sequence))
    await publisher.flush(30)
    assert len(asked) == 2
    await publisher.close()


async def test_a_bus_that_refuses_at_once_is_asked_again_after_a_pause(
    bus: Bus, sid: str, ask_with_patience: Ask
) -> None:
    asked = ask_with_patience(bus, BusUnavailable("not now"))
    publisher = Publisher(bus, get_logger(__name__))
    publisher.put(key(sid))
    async with asyncio.timeout(30):
        while len(asked) < 2:
            await asyncio.sleep(0.01)
    assert len(asked) == 2
    await publisher.close()


async def test_what_is_left_is_stored_until_the_drain_and_then_said_to_be_lost(
    bus: Bus, sid: str, ask_with_patience: Ask
) -> None:
    ask_with_patience(bus, BusUnavailable("not now"))
    lost, unsent = counted("gateway_events_lost"), Unsent()
    publisher = Publisher(bus, get_logger(__name__))
    for sequence in (1, 2):
        publisher.put(key(sid, sequence))
    await unsent.keep(publisher)
    assert unsent.events == 2
    await unsent.drain(0.2)
    assert unsent.events == 0
    assert counted("gateway_events_lost") == lost + 2


async def test_no_more_is_kept_than_there_is_room_for(
    bus: Bus, sid: str, ask_with_patience: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher_module, "MAX_UNSENT", 2)
    ask_with_patience(bus, BusUnavailable("not now"))
    lost, unsent = counted("gateway_events_lost"), Unsent()
    for first in (1, 3):
        publisher = Publisher(bus, get_logger(__name__))
        for sequence in (first, first + 1):
            publisher.put(key(sid, sequence))
        await unsent.keep(publisher)
    assert unsent.events == 2
    assert counted("gateway_events_lost") == lost + 2
    await unsent.drain(0)


async def test_a_publisher_with_nothing_left_is_closed_at_once(bus: Bus, sid: str) -> None:
    unsent = Unsent()
    publisher = Publisher(bus, get_logger(__name__))
    publisher.put(key(sid))
    assert await publisher.flush(30)
    await unsent.keep(publisher)
    assert unsent.events == 0
    assert publisher.closed
    await unsent.drain(0)
