"""What is removed again, on request and by age, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from voxbus.scheduler.core_contacts import Contact
from voxbus.scheduler.core_orders import Order
from voxbus.scheduler.core_rules import Campaign, House, Window
from voxbus.scheduler.core_window import span
from voxbus.scheduler.store import Limits, Refusal, Stores, Wait
from voxbus.scheduler.store.erasure import Erased, Found
from voxbus.scheduler.tables import Call

ANN, BOB = "+12125550101", "+12125550102"
NOW_S = 1_700_000_000.0
RULES = Campaign(name="c", agent="a", window=Window(start="00:00", end="24:00"))


def report(sid: str, *, from_: str, to: str) -> str:
    return json.dumps(
        {
            "version": 1, "callSid": sid, "sessionId": "", "direction": "inbound", "from": from_, "to": to,
            "agent": "a", "startedAt": "2026-01-01T00:00:00Z", "endedAt": "2026-01-01T00:01:00Z",
            "durationMs": 60000, "outcome": "completed", "endReason": "caller_hung_up", "endDetail": "",
            "answeredBy": "", "transcript": [], "turns": [], "interruptions": 0, "droppedFrames": 0,
            "fallbacks": [], "usage": {"llm": [], "tts": [], "callMs": 60000},
        }
    )  # fmt: skip


def sid_of(call_id: str) -> str:
    return f"CA{call_id.encode().hex():0>32}"


class Office:
    def __init__(self, engine: AsyncEngine) -> None:
        house = House(quiet=span(""), attempts_per_day=9)
        self.stores = Stores.of(engine, "AC1", house, Limits(0.0, 100, 1000.0))

    async def call(self, call_id: str, to: str, *, ended_s: float | None = NOW_S) -> None:
        """One that has ended, with its report; None = it goes on."""
        stores = self.stores
        order = Order(to=to, agent="a")
        await stores.book.order(order, call_id=call_id, key=None, from_number="+1", now_s=NOW_S)
        await stores.dispatch.take("c" + call_id, NOW_S, NOW_S + 10, 100)
        assert await stores.dispatch.dialling(call_id, "c" + call_id, NOW_S) is True
        await stores.tracks.bind(call_id, sid_of(call_id), "create", NOW_S)
        if ended_s is not None:
            await stores.tracks.tell(call_id, "completed", ended_s, sequence=9, answered_by="", detail="")
            body = report(sid_of(call_id), from_="+1", to=to)
            await stores.book.keep_report(sid_of(call_id), call_id, body, ended_s)

    async def erase(self, number: str) -> tuple[Found, Erased]:
        found = await self.stores.erasure.begin(number, NOW_S)
        return found, await self.stores.erasure.finish(found)

    async def contact(self, number: str) -> Call:
        """Of the campaign ``c``, with the call to it, whose request has left."""
        stores = self.stores
        await stores.campaigns.create("c", None, RULES, NOW_S)
        await stores.campaigns.add("c", [(Contact(1, number, ("UTC",), "form", 0.0, {}), NOW_S)], NOW_S)
        call = await stores.dispatch.take("claim", NOW_S, NOW_S + 10, 100)
        assert isinstance(call, Call)
        assert await stores.dispatch.dialling(call.id, call.claim, NOW_S) is True
        return call

    async def contacts(self) -> int:
        return (await self.stores.campaigns.progress("c")).contacts


@pytest.fixture
async def office(any_engine: AsyncEngine) -> Office:
    office = Office(any_engine)
    await office.stores.queue.open()
    return office


async def test_all_of_a_number_goes_and_nothing_of_another(office: Office) -> None:
    stores = office.stores
    await office.call("ann", ANN)
    await office.call("bob", BOB)
    inbound = sid_of("inbound"), sid_of("other")
    await stores.book.keep_report(inbound[0], None, report(inbound[0], from_=ANN, to="+1"), NOW_S)
    await stores.book.keep_report(inbound[1], None, report(inbound[1], from_=BOB, to="+1"), NOW_S)
    await stores.campaigns.create("c", None, RULES, NOW_S)
    contacts = [Contact(n, to, ("UTC",), "form", 0.0, {}) for n, to in enumerate((ANN, BOB))]
    await stores.campaigns.add("c", [(contact, NOW_S + 9) for contact in contacts], NOW_S)
    await stores.refusals.add([Refusal(ANN, "call", "never again", NOW_S, sid_of("ann"))])
    found, erased = await office.erase(ANN)
    assert erased == Erased(calls=1, contacts=1, reports=2, going_on=0, listed=True)
    assert found.calls == {"ann": sid_of("ann")}
    assert found.call_sids == {sid_of("ann"), inbound[0]}
    assert await stores.book.record("ann") is None
    assert await stores.book.report(sid_of("ann")) is None
    assert await stores.book.report(inbound[0]) is None
    # Who wants no calls gets none, also when nothing else is known of them any more.
    row = await stores.refusals.get(ANN)
    assert row is not None
    assert (row.evidence, row.call_sid) == ("", None)
    record = await stores.book.record("bob")
    assert record is not None
    assert record.report is not None
    assert await stores.book.report(inbound[1]) is not None
    assert (await stores.campaigns.progress("c")).contacts == 1
    _, again = await office.erase(ANN)
    assert again == Erased(calls=0, contacts=0, reports=0, going_on=0, listed=True)


async def test_a_number_is_erased_however_it_was_written(office: Office) -> None:
    """In an order with the zero that is dialled inside the country; in a report as the carrier wrote it."""
    stores, number = office.stores, "+442071838750"
    await office.call("ann", "+4402071838750")
    await stores.book.keep_report(
        sid_of("in"), None, report(sid_of("in"), from_="+4402071838750", to="+1"), 0
    )
    await stores.book.keep_report(sid_of("x"), None, report(sid_of("x"), from_="+33142838750", to="+1"), 0)
    found, erased = await office.erase(number)
    assert (erased.calls, erased.reports) == (1, 2)
    assert found.call_sids == {sid_of("ann"), sid_of("in")}
    assert await stores.book.report(sid_of("x")) is not None


async def test_a_caller_with_an_impossible_number_is_erased(office: Office) -> None:
    number = "+5215512345678"
    await office.stores.refusals.add([Refusal(number, "call", "never again", NOW_S, sid_of("in"))])
    body = report(sid_of("in"), from_=number, to="+1")
    await office.stores.book.keep_report(sid_of("in"), None, body, NOW_S)
    _, erased = await office.erase(number)
    assert (erased.reports, erased.listed) == (1, True)


async def test_a_call_that_goes_on_is_left(office: Office) -> None:
    await office.call("ann", ANN, ended_s=None)
    _, erased = await office.erase(ANN)
    assert (erased.calls, erased.going_on) == (0, 1)
    assert await office.stores.book.record("ann") is not None


@pytest.mark.parametrize("ended", [False, True])
async def test_a_contact_goes_with_its_call(office: Office, ended: bool) -> None:
    """Whose call is back in the queue, or over without anybody having looked at what follows from it."""
    stores, call = office.stores, await office.contact(ANN)
    if ended:
        await stores.tracks.bind(call.id, sid_of("c"), "create", NOW_S)
        await stores.tracks.tell(call.id, "completed", NOW_S, sequence=9, answered_by="", detail="")
    else:
        await stores.queue.again(call.id, call.claim, NOW_S, "the carrier said: too many requests")
    found, erased = await office.erase(ANN)
    assert found.calls == {call.id: sid_of("c") if ended else None}
    assert erased == Erased(calls=1, contacts=1, reports=0, going_on=0, listed=False)
    assert await office.contacts() == 0
    assert await stores.contacts.settle(NOW_S) == []


async def test_a_contact_that_is_being_called_is_left_with_its_call(office: Office) -> None:
    await office.contact(ANN)
    _, erased = await office.erase(ANN)
    assert (erased.calls, erased.contacts, erased.going_on) == (0, 0, 1)
    assert await office.contacts() == 1


async def test_a_contact_without_its_call_is_removed(office: Office, any_engine: AsyncEngine) -> None:
    """On request and by age: versions before this one left some."""
    for removed_by in ("erase", "expire"):
        await office.contact(ANN)
        async with any_engine.begin() as connection:
            await connection.execute(text("DELETE FROM calls"))
        if removed_by == "erase":
            assert (await office.erase(ANN))[1].contacts == 1
        else:
            await office.stores.erasure.expire(NOW_S + 1)
        assert await office.contacts() == 0
        async with any_engine.begin() as connection:
            await connection.execute(text("DELETE FROM campaigns"))


async def test_nobody_is_dialled_while_they_are_erased(office: Office) -> None:
    stores = office.stores
    await stores.campaigns.create("c", None, RULES, NOW_S)
    await stores.campaigns.add("c", [(Contact(1, ANN, ("UTC",), "form", 0.0, {}), NOW_S)], NOW_S)
    order = Order(to=ANN, agent="a")
    await stores.book.order(order, call_id="taken", key=None, from_number="+1", now_s=NOW_S)
    taken = await stores.dispatch.take("claim", NOW_S, NOW_S + 10, 100)
    assert isinstance(taken, Call)
    await stores.book.order(order, call_id="queued", key=None, from_number="+1", now_s=NOW_S)
    found = await stores.erasure.begin(ANN, NOW_S)
    assert set(found.calls) == {"taken", "queued"}
    assert isinstance(await stores.dispatch.take("other", NOW_S, NOW_S + 10, 100), Wait)
    assert await stores.dispatch.dialling(taken.id, taken.claim, NOW_S) is False
    erased = await stores.erasure.finish(found)
    assert (erased.calls, erased.contacts, erased.going_on) == (2, 1, 0)
    assert await stores.dispatch.dialling(taken.id, taken.claim, NOW_S) is False


async def test_rows_stay_whose_logs_do(office: Office) -> None:
    await office.call("ann", ANN)
    found = await office.stores.erasure.begin(ANN, NOW_S)
    erased = await office.stores.erasure.finish(found, {sid_of("ann")})
    assert (erased.calls, erased.reports, erased.going_on) == (0, 0, 0)
    assert await office.stores.book.report(sid_of("ann")) is not None
    _, erased = await office.erase(ANN)
    assert (erased.calls, erased.reports) == (1, 1)


async def test_what_is_old_goes_and_what_goes_on_stays(office: Office) -> None:
    await office.call("old", ANN, ended_s=NOW_S - 100)
    await office.call("new", ANN, ended_s=NOW_S + 100)
    await office.call("live", BOB, ended_s=None)
    await office.stores.refusals.add([Refusal(ANN, "api", "", NOW_S - 100)])
    assert await office.stores.erasure.expire(NOW_S) == 1
    assert await office.stores.book.record("old") is None
    assert await office.stores.book.report(sid_of("old")) is None
    for call_id in ("new", "live"):
        assert await office.stores.book.record(call_id) is not None
    assert await office.stores.refusals.get(ANN) is not None
