"""What nobody told is found out, and one call of which nothing can be learned keeps no other waiting."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from voxbus.common import subjects
from voxbus.common.bus import Bus
from voxbus.scheduler import settle
from voxbus.scheduler.core_carrier import Placed
from voxbus.scheduler.core_orders import Order
from voxbus.scheduler.core_rules import House
from voxbus.scheduler.core_window import span
from voxbus.scheduler.providers import Dial
from voxbus.scheduler.providers.twilio import TwilioCarrier
from voxbus.scheduler.settings import SchedulerSettings
from voxbus.scheduler.settle import Settler
from voxbus.scheduler.store import Limits, Stores
from voxbus.scheduler.tables import Call

if TYPE_CHECKING:
    from voxbus.devkit.carrier import Exchange, RestApi

faults = pytest.importorskip("voxbus.devkit.carrier.faults", reason="the devkit brings the carrier simulator")

OURS = "+15550100002"
RING_S, LIMIT_S = 60, 600


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "SWEEP_S", 0.05)


class Place:
    """A scheduler's database after a while, its bus and its carrier."""

    def __init__(self, engine: AsyncEngine, bus: Bus, api: RestApi, exchange: Exchange) -> None:
        limits = Limits(0.0, 100, float(RING_S + LIMIT_S))
        self.stores = Stores.of(engine, "AC1", House(quiet=span(""), attempts_per_day=9), limits)
        self.engine, self.bus, self.api, self.exchange = engine, bus, api, exchange
        self.numbers = iter(range(1000, 10_000))

    def carrier(self, timeout_s: float = 30.0) -> TwilioCarrier:
        sid, token = self.exchange.account_sid, self.exchange.auth_token
        return TwilioCarrier(sid, token, base_url=self.api.url, timeout_s=timeout_s)

    async def placed(self, call_id: str, *, age_s: float = 0.0, sid: str = "") -> str:
        """A call that the carrier has, or ``sid``, of which it knows nothing; silent for ``age_s``. Its CallSid."""
        to, at_s = f"+1212555{next(self.numbers)}", time.time() - age_s
        if not sid:
            carrier = self.carrier()
            answer = await carrier.create(Dial(to, OURS, "https://a.example/", "https://a.example/", 60, 600))
            await carrier.close()
            assert isinstance(answer, Placed)
            sid = answer.call_sid
        order = Order(to=to, agent="a")
        await self.stores.book.order(order, call_id=call_id, key=None, from_number=OURS, now_s=at_s)
        taken = await self.stores.dispatch.take("c" + call_id, at_s, at_s + 10, 100)
        assert isinstance(taken, Call)
        assert await self.stores.dispatch.dialling(call_id, "c" + call_id, at_s) is True
        assert await self.stores.tracks.bind(call_id, sid, "create", at_s)
        return sid

    async def call(self, call_id: str) -> Call | None:
        record = await self.stores.book.record(call_id)
        return record.call if record is not None else None

    async def state(self, call_id: str) -> str:
        call = await self.call(call_id)
        return call.state if call is not None else "gone"

    @asynccontextmanager
    async def sweeping(self) -> AsyncIterator[None]:
        settings = SchedulerSettings(ring_timeout_s=RING_S, call_limit_s=LIMIT_S, keep_days=1)
        carrier = self.carrier()
        sweep = asyncio.create_task(Settler(settings, self.bus, self.stores, carrier).sweep())
        try:
            yield
        finally:
            sweep.cancel()
            await asyncio.gather(sweep, return_exceptions=True)
            await carrier.close()


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await holds():
            await asyncio.sleep(0.02)


@pytest.fixture
async def place(any_engine: AsyncEngine, bus: Bus, carrier_api: RestApi, exchange: Exchange) -> Place:
    place = Place(any_engine, bus, carrier_api, exchange)
    await place.stores.queue.open()
    return place


async def settled(place: Place) -> None:
    """That a call is hung up on request, and an old one removed."""

    async def done() -> bool:
        call = await place.call("wanted")
        return call is not None and not call.hang_up and await place.state("old") == "gone"

    await until(done)


async def to_settle(place: Place) -> None:
    await place.placed("wanted")
    assert await place.stores.tracks.cancel("wanted", time.time()) == "hanging_up"
    await place.placed("old")
    async with place.engine.begin() as connection:
        await connection.execute(
            text("UPDATE calls SET state = 'completed', updated_at_s = 0 WHERE id = 'old'")
        )


async def test_a_carrier_that_cannot_tell_of_one_call_keeps_no_other_waiting(place: Place) -> None:
    place.api.list_faults += [faults.server_error() for _ in range(1000)]
    await place.placed("silent", age_s=settle.SILENT_S + 60)
    await to_settle(place)
    async with place.sweeping():
        await settled(place)
        await until(lambda: checked(place, "silent"))
    assert await place.state("silent") == "placed"


async def test_a_carrier_that_is_silent_keeps_nobody_from_being_hung_up(place: Place) -> None:
    place.api.list_faults += [faults.silence(makes_call=False) for _ in range(1000)]
    for number in range(3):
        await place.placed(f"silent{number}", age_s=settle.SILENT_S + 60)
    await to_settle(place)
    async with place.sweeping():
        await settled(place)


async def checked(place: Place, call_id: str) -> bool:
    call = await place.call(call_id)
    assert call is not None
    return call.checked_at_s > time.time() - settle.SILENT_S


async def test_of_a_call_whose_log_cannot_be_read_the_carrier_tells(place: Place) -> None:
    """And those behind it are asked about."""
    broken = await place.placed("broken", age_s=settle.SILENT_S + 61)
    other = await place.placed("other", age_s=settle.SILENT_S + 60)
    await place.bus.control.jetstream().publish(subjects.event(broken, "utterance", "1"), b"nonsense")
    for sid in (broken, other):
        place.exchange.calls[sid].call.result.status = "busy"
    await to_settle(place)
    async with place.sweeping():
        await settled(place)
        for call_id in ("broken", "other"):

            async def told(call_id: str = call_id) -> bool:
                return await place.state(call_id) == "busy"

            await until(told)


async def test_a_call_that_the_carrier_does_not_know_is_over_when_it_must_be(place: Place) -> None:
    """It gives its number and its place in the air back; a late callback would still tell."""
    sids = [f"CA{os.urandom(16).hex()}" for _ in range(2)]
    await place.placed("gone", age_s=RING_S + LIMIT_S + 300, sid=sids[0])
    await place.placed("young", age_s=settle.SILENT_S + 60, sid=sids[1])
    async with place.sweeping():

        async def over() -> bool:
            return await place.state("gone") == "unknown" and await checked(place, "young")

        await until(over)
    assert await place.state("young") == "placed"
    call = await place.call("gone")
    assert call is not None
    now_s = time.time()
    again = Order(to=call.to_number, agent="a")
    await place.stores.book.order(again, call_id="again", key=None, from_number=OURS, now_s=now_s)
    taken = await place.stores.dispatch.take("c", now_s, now_s + 10, 100)
    assert isinstance(taken, Call)
    assert taken.id == "again"
    assert await place.stores.tracks.tell("gone", "completed", now_s, sequence=9, answered_by="", detail="")
