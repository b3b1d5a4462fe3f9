"""NATS is away for a while. Calls that run go on; calls that come are answered when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from nats.errors import FlushTimeoutError

from voxbus.common import events as ev
from voxbus.common.bus import Bus, BusConfig, ensure
from voxbus.gateway import http, stream

from .conftest import serve
from .twilio import Running, Twilio, Workers

if TYPE_CHECKING:
    from voxbus.devkit.nats_server import NatsServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

FRAME = b"\x7f" * 160


@pytest.fixture
def own_server(tmp_path: Path) -> NatsServer:
    nats = pytest.importorskip("voxbus.devkit.nats_server", reason="the devkit brings the NATS server")
    server: NatsServer = nats.NatsServer(tmp_path / "nats")
    return server


@pytest_asyncio.fixture(loop_scope="session")
async def lonely(own_server: NatsServer, agents_dir: Path) -> AsyncIterator[Running]:
    """A gateway on a server that may be stopped."""
    own_server.start()
    bus = await Bus.connect(BusConfig(url=own_server.url, name="lonely"), on_problem=lambda *_: None)
    await ensure(bus)
    async with serve(bus, agents_dir) as running:
        running.http.timeout = 15
        yield running
    await bus.close()
    own_server.stop()


async def test_webhooks_wait_for_the_bus(lonely: Running, own_server: NatsServer) -> None:
    call = lonely.call()
    own_server.stop()
    ringing = asyncio.create_task(call.voice())
    following = asyncio.create_task(lonely.post("/twilio/next?streams=0&tries=0", {"CallSid": call.sid}))
    ended = {"CallSid": "CA" + "9" * 32, "CallStatus": "completed", "SequenceNumber": "3"}
    status = asyncio.create_task(lonely.post("/twilio/status", ended))
    await asyncio.sleep(3)
    own_server.start()
    assert [(await answer).status_code for answer in (ringing, following, status)] == [200, 200, 204]
    (event,) = await lonely.log(ended["CallSid"], ev.Ended)
    assert event.detail == "completed"


async def test_a_webhook_does_not_wait_longer_than_the_carrier_does(
    lonely: Running, own_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert http.BUS_WAIT_S + 5 < 15
    monkeypatch.setattr(http, "BUS_WAIT_S", 0.5)
    own_server.stop()
    async with asyncio.timeout(30):
        response = await lonely.call().voice()
    assert (response.status_code, response.text) == (503, "the bus does not answer\n")
    own_server.start()


async def hears_a_sentence_and_presses_a_key(gateway: Running, server: NatsServer) -> Twilio:
    """A call in which both happen after the server is stopped."""
    call = gateway.call()
    await call.begin()
    await gateway.log(call.sid, ev.Started)
    agent = Workers(gateway.bus, call.sid)
    await agent.attach()
    await agent.say("Hello there.", FRAME * 30)
    (mark,) = await call.wait_for("mark")
    server.stop()
    await call.mark(mark["mark"]["name"])
    await call.press("1")
    return call


async def test_what_happens_while_the_bus_is_away_is_in_the_log_afterwards(
    lonely: Running, own_server: NatsServer
) -> None:
    call = await hears_a_sentence_and_presses_a_key(lonely, own_server)
    for _ in range(20):
        await call.media(FRAME)
    await call.stop()
    await asyncio.sleep(0.5)
    own_server.start()
    await lonely.log(call.sid, ev.Ended)
    kinds = [stored.event.kind for stored in await lonely.bus.read_log(call.sid)]
    assert kinds[-3:] == ["heard", "dtmf", "ended"]


async def test_what_was_decided_before_a_call_left_is_stored_however_long_the_bus_is_away(
    lonely: Running, own_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = lonely.gateway._board
    assert board is not None
    monkeypatch.setattr(stream, "FLUSH_S", 0.2)
    call = await hears_a_sentence_and_presses_a_key(lonely, own_server)
    await call.stop()
    await until(lambda: not board.streams)  # nothing of the call is left but its events
    assert board.unsent.events == 3
    own_server.start()
    await lonely.log_within(call.sid, ev.Ended, 30)
    kinds = [stored.event.kind for stored in await lonely.bus.read_log(call.sid)]
    assert kinds[-3:] == ["heard", "dtmf", "ended"]
    await until(lambda: not board.unsent.events)


@pytest.mark.parametrize("error", [FlushTimeoutError(), ZeroDivisionError()], ids=repr)
async def test_a_stream_that_cannot_begin_is_closed_and_not_kept(
    lonely: Running, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The audio connection fell silent, or something is wrong that nobody thought of."""
    board = lonely.gateway._board
    assert board is not None

    async def fail() -> None:
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(lonely.bus.audio._client, "flush", fail)
        call = lonely.call()
        await call.begin()
        code, _ = await call.closed()
    assert code == 1011
    await until(lambda: not board.streams)
    await call.close()
    again = lonely.call(call.sid)  # as the carrier does
    await again.begin()
    await lonely.log(call.sid, ev.Started)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)
