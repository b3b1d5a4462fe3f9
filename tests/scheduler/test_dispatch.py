"""Whose telephone rings next: campaigns, pace, the do-not-call list, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from voxbus.scheduler import database
from voxbus.scheduler.core_carrier import CLOSED, DO_NOT_CALL, STOPPED
from voxbus.scheduler.core_carrier import Refused as CarrierRefused
from voxbus.scheduler.core_contacts import Contact
from voxbus.scheduler.core_orders import Order
from voxbus.scheduler.core_rules import Campaign, House, Retry
from voxbus.scheduler.core_states import State
from voxbus.scheduler.core_window import span
from voxbus.scheduler.store import Limits, Paused, Refusal, Stores, Wait
from voxbus.scheduler.tables import Call

NOON = datetime(2026, 3, 3, 12, tzinfo=ZoneInfo("America/New_York")).timestamp()
HOUSE = House(quiet=span("21:00-08:00"), attempts_per_day=3)
NEW_YORK = ("America/New_York",)
ANN, BOB, CLEO = "+12125550101", "+12125550102", "+12125550103"
RULES = Campaign(name="reminders", agent="reminder", from_number="+12125550100", calls_per_second=100)


class Book:
    """A scheduler's database, and the time."""

    def __init__(self, engine: AsyncEngine, interval_s: float = 0.0) -> None:
        self.now_s = NOON
        limits = Limits(interval_s=interval_s, most=50, over_s=1000)
        self.stores = Stores.of(engine, "AC1", HOUSE, limits)
        self.claims = 0

    async def campaign(self, name: str, *numbers: str, rules: Campaign = RULES) -> None:
        await self.stores.campaigns.create(name, None, rules, self.now_s)
        await self.add(name, *numbers)

    async def add(self, name: str, *numbers: str, zones: tuple[str, ...] = NEW_YORK) -> list[int]:
        listed = [
            (Contact(line, number, zones, "form", 0.0, {"name": "x"}), self.now_s)
            for line, number in enumerate(numbers, 1)
        ]
        return await self.stores.campaigns.add(name, listed, self.now_s)

    async def take(self, free: int | None = 100) -> Call | Wait | Paused:
        self.claims += 1
        self.now_s += 0.02  # a campaign's own pace has passed
        claim = f"claim{self.claims}"
        return await self.stores.dispatch.take(claim, self.now_s, self.now_s + 10, free)

    async def dial(self) -> Call:
        """The next call, on its way to the carrier."""
        call = await self.take()
        assert isinstance(call, Call)
        assert await self.stores.dispatch.dialling(call.id, call.claim, self.now_s) is True
        return call

    async def idle(self) -> None:
        assert await self.take() == Wait(0.5, "nothing_due")

    async def end(self, call: Call, state: State, **told: object) -> list[Paused]:
        sid = f"CA{int(call.position):032x}"
        assert await self.stores.tracks.bind(call.id, sid, "create", self.now_s)
        await self.stores.tracks.tell(call.id, state, self.now_s, sequence=9, answered_by="", detail="")
        return await self.stores.contacts.settle(self.now_s)

    async def results(self, name: str) -> dict[str, str]:
        lines = await self.stores.campaigns.lines(name, 0)
        return {line.contact.to_number: line.contact.result or line.contact.state for line in lines}


@pytest.fixture
async def book(any_engine: AsyncEngine) -> Book:
    book = Book(any_engine)
    await book.stores.queue.open()
    return book


async def test_contacts_are_called_in_the_order_they_came(book: Book) -> None:
    await book.campaign("c", ANN, BOB, CLEO)
    calls = [await book.dial() for _ in range(3)]
    assert [call.to_number for call in calls] == [ANN, BOB, CLEO]
    assert {(call.agent, call.from_number) for call in calls} == {("reminder", "+12125550100")}
    assert calls[0].variables == {"name": "x"}
    await book.idle()
    for call, state in zip(calls, ("completed", "transferred", "voicemail"), strict=True):
        await book.end(call, state)  # type: ignore[arg-type]
    assert await book.results("c") == {ANN: "completed", BOB: "transferred", CLEO: "voicemail"}


async def test_a_contact_is_in_a_campaign_once(book: Book) -> None:
    await book.campaign("c", ANN)
    assert await book.add("c", ANN, BOB) == [2]
    assert await book.add("c", ANN, BOB) == []


async def test_a_number_is_in_one_call_at_a_time_whoever_wants_it(book: Book) -> None:
    await book.campaign("c", ANN)
    await book.campaign("d", ANN)
    order = Order(to=ANN, agent="reminder")
    await book.stores.book.order(order, call_id="single", key=None, from_number="+1", now_s=book.now_s)
    single = await book.dial()
    assert single.id == "single"
    await book.idle()
    await book.end(single, "completed")
    await book.idle()  # put off for half a minute, not asked again and again
    book.now_s += 31
    first = await book.dial()
    await book.idle()
    await book.end(first, "completed")
    book.now_s += 31
    assert (await book.dial()).campaign != first.campaign


async def test_a_single_call_waits_for_the_end_of_another_to_its_number(book: Book) -> None:
    for call_id, to in (("one", ANN), ("two", ANN), ("three", BOB)):
        order = Order(to=to, agent="reminder")
        await book.stores.book.order(order, call_id=call_id, key=None, from_number="+1", now_s=book.now_s)
    assert [(await book.dial()).id for _ in range(2)] == ["one", "three"]
    await book.idle()


async def test_what_may_have_rung_keeps_the_line_until_it_must_be_over(book: Book) -> None:
    await book.campaign("c", ANN)
    call = await book.dial()
    await book.stores.queue.unconfirmed(call.id, book.now_s, "timeout")
    await book.stores.tracks.unknown(call.id, book.now_s, "nobody knows")
    await book.stores.contacts.settle(book.now_s)
    assert await book.results("c") == {ANN: "unknown"}
    await book.campaign("d", ANN)
    await book.idle()
    book.now_s += 1001
    assert (await book.dial()).campaign == "d"


async def test_an_unknown_call_that_tells_late_is_still_not_dialled_again(book: Book) -> None:
    await book.campaign("c", ANN)
    call = await book.dial()
    await book.stores.queue.unconfirmed(call.id, book.now_s, "timeout")
    await book.stores.tracks.unknown(call.id, book.now_s, "nobody knows")
    await book.stores.contacts.settle(book.now_s)
    await book.end(call, "busy")
    assert await book.results("c") == {ANN: "busy"}
    book.now_s += 86_400
    await book.idle()


async def test_busy_is_tried_again_and_then_given_up(book: Book) -> None:
    rules = RULES.model_copy(update={"retry": {"busy": Retry(after_seconds=600, attempts=2)}})
    await book.campaign("c", ANN, rules=rules)
    await book.end(await book.dial(), "busy")
    assert await book.results("c") == {ANN: "waiting"}
    await book.idle()
    book.now_s += 600
    await book.end(await book.dial(), "busy")
    assert await book.results("c") == {ANN: "busy"}


async def test_what_turns_out_to_have_been_a_machine_is_decided_anew(book: Book) -> None:
    rules = RULES.model_copy(update={"retry": {"machine": Retry(after_seconds=600, attempts=2)}})
    await book.campaign("c", ANN, rules=rules)
    call = await book.dial()
    await book.end(call, "completed")
    await book.stores.tracks.tell(
        call.id, "voicemail", book.now_s, sequence=10, answered_by="machine_end_beep", detail=""
    )
    await book.stores.contacts.settle(book.now_s)
    assert await book.results("c") == {ANN: "waiting"}


async def test_the_calls_of_a_day_are_counted_across_campaigns(book: Book) -> None:
    for name in "abcd":
        await book.campaign(name, ANN)
    for _ in range(3):
        await book.end(await book.dial(), "completed")
        book.now_s += 31
    await book.idle()
    book.now_s += 86_400
    await book.dial()


async def test_nobody_is_called_outside_the_window_and_nothing_is_lost_by_it(book: Book) -> None:
    await book.campaign("c")
    await book.add("c", ANN, zones=("Asia/Tokyo",))
    await book.add("c", BOB)
    assert (await book.dial()).to_number == BOB
    await book.idle()
    book.now_s = NOON + 9 * 3600  # 21:00 in New York, 11:00 in Tokyo
    assert (await book.dial()).to_number == ANN


async def test_the_window_is_looked_at_again_in_the_second_of_dialling(book: Book) -> None:
    await book.campaign("c", ANN)
    book.now_s = NOON + 8 * 3600 - 2  # 19:59:58
    call = await book.take()
    assert isinstance(call, Call)
    book.now_s += 3
    assert await book.stores.dispatch.dialling(call.id, call.claim, book.now_s) == CLOSED
    assert await book.stores.queue.fail(call.id, call.claim, book.now_s, CLOSED)
    await book.stores.contacts.settle(book.now_s)
    await book.idle()
    book.now_s = NOON + 21 * 3600
    again = await book.dial()
    assert again.to_number == ANN
    await book.end(again, "completed")
    (line,) = await book.stores.campaigns.lines("c", 0)
    assert line.contact.attempts == 1


async def test_the_list_is_asked_in_the_second_of_dialling(book: Book) -> None:
    await book.campaign("c", ANN)
    order = Order(to=BOB, agent="reminder")
    await book.stores.book.order(order, call_id="single", key=None, from_number="+1", now_s=book.now_s)
    taken = [await book.take(), await book.take()]
    refusals = [Refusal(number, "api", "", book.now_s) for number in (ANN, BOB)]
    assert await book.stores.refusals.add(refusals) == 2
    for call in taken:
        assert isinstance(call, Call)
        assert await book.stores.dispatch.dialling(call.id, call.claim, book.now_s) == DO_NOT_CALL
        await book.stores.queue.fail(call.id, call.claim, book.now_s, DO_NOT_CALL)
    await book.stores.contacts.settle(book.now_s)
    assert await book.results("c") == {ANN: "do_not_call"}


async def test_a_trunk_zero_is_no_way_around_the_list_or_around_one_call_per_number(book: Book) -> None:
    london, shown = "+442071838750", "+4402071838750"
    for call_id, number in (("one", shown), ("two", london)):
        order = Order(to=number, agent="reminder")
        await book.stores.book.order(order, call_id=call_id, key=None, from_number="+1", now_s=book.now_s)
    call = await book.dial()
    await book.idle()
    await book.end(call, "completed")
    await book.stores.refusals.add([Refusal(london, "api", "a letter", book.now_s)])
    other = await book.take()
    assert isinstance(other, Call)
    assert await book.stores.dispatch.dialling(other.id, other.claim, book.now_s) == DO_NOT_CALL


async def test_who_comes_onto_the_list_is_dropped_by_every_campaign(book: Book) -> None:
    await book.campaign("c", ANN, BOB)
    await book.stores.refusals.add([Refusal(ANN, "import", "", book.now_s)])
    assert await book.results("c") == {ANN: "do_not_call", BOB: "waiting"}
    await book.campaign("d", ANN)
    assert (await book.dial()).to_number == BOB
    await book.idle()
    assert await book.results("d") == {ANN: "do_not_call"}


async def test_the_oldest_evidence_stays(book: Book) -> None:
    adds = [book.stores.refusals.add([Refusal(ANN, "call", "never again", float(n))]) for n in range(6)]
    assert sum(await asyncio.gather(*adds)) == 1
    await book.stores.refusals.add([Refusal(ANN, "api", "later", 9.0)])
    row = await book.stores.refusals.get(ANN)
    assert row is not None
    assert (row.source, row.evidence) == ("call", "never again")
    assert await book.stores.refusals.remove(ANN)
    assert not await book.stores.refusals.remove(ANN)


async def test_a_paused_campaign_dials_nobody_and_a_resumed_one_goes_on(book: Book) -> None:
    await book.campaign("c", ANN, BOB)
    claimed = await book.take()
    assert isinstance(claimed, Call)
    assert await book.stores.campaigns.enter("c", "paused", book.now_s)
    assert await book.stores.dispatch.dialling(claimed.id, claimed.claim, book.now_s) == STOPPED
    await book.stores.queue.fail(claimed.id, claimed.claim, book.now_s, STOPPED)
    await book.stores.contacts.settle(book.now_s)
    assert not await book.stores.dispatch.due(book.now_s)
    await book.idle()
    assert await book.stores.campaigns.enter("c", "running", book.now_s)
    assert {(await book.dial()).to_number, (await book.dial()).to_number} == {ANN, BOB}


async def test_a_call_that_429_sent_back_waits_while_its_campaign_is_paused(book: Book) -> None:
    await book.campaign("c", ANN)
    call = await book.dial()
    assert await book.stores.queue.again(call.id, call.claim, book.now_s, "too many")
    await book.stores.campaigns.enter("c", "paused", book.now_s)
    await book.idle()
    await book.stores.campaigns.enter("c", "running", book.now_s)
    assert (await book.dial()).id == call.id


async def test_a_canceled_campaign_stays_canceled(book: Book) -> None:
    await book.campaign("c", ANN, BOB, CLEO)
    going = await book.dial()
    waiting = await book.take()
    assert isinstance(waiting, Call)
    assert await book.stores.campaigns.enter("c", "canceled", book.now_s)
    assert not await book.stores.campaigns.enter("c", "running", book.now_s)
    await book.end(going, "busy")
    assert await book.results("c") == dict.fromkeys((ANN, BOB, CLEO), "canceled")
    assert await book.stores.dispatch.dialling(waiting.id, waiting.claim, book.now_s) is not True
    book.now_s += 3600
    await book.idle()


async def test_five_failures_pause_a_campaign_and_say_why(book: Book) -> None:
    numbers = [f"+1212555{n:04d}" for n in range(110, 120)]
    await book.campaign("c", *numbers)
    said = []
    for n in range(5):
        call = await book.dial()
        if n < 3:
            await book.stores.queue.fail(call.id, call.claim, book.now_s, CarrierRefused("13224", "words"))
            said += await book.stores.contacts.settle(book.now_s)
        else:
            said += await book.end(call, "completed")
        book.now_s += 10
    assert said == [Paused("c", "3 of 5 calls failed within 120 s; most often: 13224")]
    campaign = await book.stores.campaigns.get("c")
    assert campaign is not None
    assert (campaign.state, campaign.reason) == ("paused", said[0].reason)
    await book.idle()
    # Whoever resumes it has seen the reason: only what fails from now on counts.
    await book.stores.campaigns.enter("c", "running", book.now_s)
    assert await book.end(await book.dial(), "failed") == []


async def refused(book: Book, calls: int) -> None:
    """So many of a campaign's calls, refused by the carrier. Nobody has drawn anything from it yet."""
    for _ in range(calls):
        call = await book.dial()
        await book.stores.queue.fail(call.id, call.claim, book.now_s, CarrierRefused("21210", "words"))


async def test_nobody_is_claimed_after_the_call_that_meets_the_rule_of_the_breaker(book: Book) -> None:
    """It may end after the last look at what has ended, and before the next claim."""
    numbers = [f"+1212555{n:04d}" for n in range(110, 120)]
    await book.campaign("c", *numbers, rules=RULES.model_copy(update={"calls_in_air": 1}))
    await refused(book, 5)
    assert await book.take() == Paused("c", "5 of 5 calls failed within 120 s; most often: 21210")
    await book.idle()
    assert await book.stores.contacts.settle(book.now_s) == []


@pytest.mark.parametrize("code", ["unknown_agent", "agent"])
async def test_without_an_agent_that_can_hold_its_calls_a_campaign_waits(book: Book, code: str) -> None:
    """It takes nobody's turn, says why, and goes on where it was."""
    await book.campaign("c", ANN)
    call = await book.take()
    assert isinstance(call, Call)
    gone = CarrierRefused(code, "There is no agent called 'reminder' any more.")
    assert await book.stores.queue.fail(call.id, call.claim, book.now_s, gone)
    # Before anybody looked at what follows for the contact as well as after.
    await book.add("c", CLEO)
    reason = (
        "no call can be held: There is no agent called 'reminder' any more; resume it when that is mended"
    )
    assert await book.take() == Paused("c", reason)
    assert await book.stores.contacts.settle(book.now_s) == []
    assert await book.results("c") == {ANN: "waiting", CLEO: "waiting"}
    campaign = await book.stores.campaigns.get("c")
    assert campaign is not None
    assert (campaign.state, campaign.reason) == ("paused", reason)
    await book.campaign("d", BOB)
    assert (await book.dial()).to_number == BOB
    book.now_s += 7 * 86_400
    await book.idle()
    assert await book.stores.campaigns.enter("c", "running", book.now_s)
    for _ in range(2):
        await book.end(await book.dial(), "completed")
    assert await book.results("c") == {ANN: "completed", CLEO: "completed"}


async def test_a_call_that_went_back_to_the_queue_waits_for_the_breaker_too(book: Book) -> None:
    await book.campaign("c", *(f"+1212555{n:04d}" for n in range(110, 120)))
    back = await book.dial()
    await refused(book, 5)
    assert await book.stores.queue.again(back.id, back.claim, book.now_s, "too many")
    assert isinstance(await book.take(), Paused)
    await book.idle()


async def test_a_campaign_has_a_pace_and_a_number_of_calls_of_its_own(book: Book) -> None:
    slow = RULES.model_copy(update={"calls_per_second": 0.1})
    narrow = RULES.model_copy(update={"calls_in_air": 1})
    await book.campaign("slow", ANN, BOB, rules=slow)
    await book.campaign("narrow", "+12125550110", "+12125550111", rules=narrow)
    assert {(await book.dial()).campaign, (await book.dial()).campaign} == {"slow", "narrow"}
    await book.idle()
    book.now_s += 10
    assert (await book.dial()).campaign == "slow"
    await book.idle()


async def test_nobody_is_called_to_hear_nothing(book: Book) -> None:
    await book.campaign("c", ANN, BOB)
    for free in (None, 0):
        assert await book.take(free) == Wait(0.5, "no_capacity")
    call = await book.take(1)
    assert isinstance(call, Call)
    assert await book.take(1) == Wait(0.5, "no_capacity")
    # Once a worker has taken it up, the worker counts it.
    await book.stores.dispatch.dialling(call.id, call.claim, book.now_s)
    await book.end(call, "in_progress")
    assert isinstance(await book.take(1), Call)


@pytest.fixture
async def replicas(postgresql_url: str) -> AsyncIterator[list[Book]]:
    engines = [database.connect(database.url_of(postgresql_url)) for _ in range(4)]
    await database.migrate(engines[0])
    books = [Book(engine) for engine in engines]
    await books[0].stores.queue.open()
    yield books
    for engine in engines:
        await engine.dispose()


@pytest.mark.lasting
async def test_replicas_share_a_campaign_and_no_number_is_taken_twice(replicas: list[Book]) -> None:
    numbers = [f"+1212555{n:04d}" for n in range(1000, 1020)]
    await replicas[0].campaign("c", *numbers, rules=RULES.model_copy(update={"calls_in_air": 1000}))
    await replicas[0].campaign("d", *numbers, rules=RULES.model_copy(update={"calls_in_air": 1000}))
    for book in replicas:
        book.stores.dispatch._limits.__dict__["most"] = 1000

    async def work(book: Book) -> list[str]:
        taken = []
        for _ in range(30):
            call = await book.take(1000)
            if isinstance(call, Call):
                taken.append(call.to_number)
        return taken

    shares = await asyncio.gather(*(work(book) for book in replicas))
    everybody = sorted(number for share in shares for number in share)
    assert everybody == numbers
    assert sum(map(bool, shares)) > 1


async def test_a_row_that_somebody_else_holds_is_passed_over(replicas: list[Book]) -> None:
    one, two = replicas[:2]
    await one.campaign("c", ANN, BOB)
    async with one.stores.dispatch._session.begin() as session:
        await session.execute(text("SELECT id FROM contacts WHERE to_number = :n FOR UPDATE"), {"n": ANN})
        async with asyncio.timeout(30):
            assert (await two.dial()).to_number == BOB
