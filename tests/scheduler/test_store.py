"""The store, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import time
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from voxbus.scheduler import database
from voxbus.scheduler.core_carrier import Refused
from voxbus.scheduler.core_orders import Order
from voxbus.scheduler.core_rules import House
from voxbus.scheduler.core_states import State
from voxbus.scheduler.core_window import span
from voxbus.scheduler.errors import DatabaseTaken
from voxbus.scheduler.store import Book, KeyReused, Limits, Paused, Queue, Refusals, Stores, Wait
from voxbus.scheduler.tables import Base, Call

HOUSE = House(quiet=span(""), attempts_per_day=3)
NOW_S = 1_700_000_000.0
ORDER = Order(to="+15550100001", agent="reminder")
SID, OTHER = "CA" + "1" * 32, "CA" + "2" * 32


class Store:
    def __init__(self, engine: AsyncEngine, interval_s: float = 0.0) -> None:
        limits = Limits(interval_s=interval_s, most=100, over_s=1000)
        stores = Stores.of(engine, "AC1", HOUSE, limits)
        self.book, self.queue, self.tracks, self.dispatch = (
            stores.book,
            stores.queue,
            stores.tracks,
            stores.dispatch,
        )
        self._numbers = itertools.count(1)

    async def add(self, call_id: str, *, at_s: float = NOW_S, to: str = "") -> None:
        order = Order(to=to or f"+1555010{next(self._numbers):04d}", agent="reminder")
        await self.book.order(order, call_id=call_id, key=None, from_number="+15550100002", now_s=at_s)

    async def claim(self, claim: str = "mine", now_s: float = NOW_S) -> str | None:
        call = await self.dispatch.take(claim, now_s, now_s + 10, free=100)
        return call.id if isinstance(call, Call) else None

    async def dial(self, call_id: str, claim: str = "mine") -> None:
        assert await self.claim(claim) == call_id
        assert await self.dispatch.dialling(call_id, claim, NOW_S)

    async def call(self, call_id: str) -> Call:
        record = await self.book.record(call_id)
        assert record is not None
        return record.call

    async def states(self, call_id: str) -> list[str]:
        record = await self.book.record(call_id)
        assert record is not None
        return [change.state for change in record.changes]


@pytest.fixture
async def store(any_engine: AsyncEngine) -> Store:
    store = Store(any_engine)
    await store.queue.open()
    return store


async def test_the_migrations_make_what_the_tables_are(any_engine: AsyncEngine) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))

    async with any_engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_an_older_database_keeps_what_it_holds(any_database_url: str) -> None:
    engine = database.connect(database.url_of(any_database_url))
    await database.migrate(engine, "0001")
    old = ("idempotency_key", "call_sid")
    columns = (
        "position, id, fingerprint, to_number, from_number, agent, variables, state, bound_by, claim, "
        + (
            "claim_until_s, tries, dialled_at_s, checked_at_s, error_code, error, answered_by, log_sequence, "
            "created_at_s, updated_at_s, " + ", ".join(old)
        )
    )
    values = (
        "1, 'a', '', '+1', '+1', 'x', '{}', 'completed', '', '', 0, 0, 0, 0, '', '', '', 0, 0, 0, NULL, NULL"
    )
    async with engine.begin() as connection:
        await connection.execute(text(f"INSERT INTO calls ({columns}) VALUES ({values})"))
        await connection.execute(
            text("INSERT INTO changes (call_id, at_s, state, detail) VALUES ('a', 0, 'completed', '')")
        )
        await connection.execute(text(f"INSERT INTO reports VALUES ('{SID}', 'a', 0, 'body')"))
    await database.migrate(engine)
    record = await Book(engine).record("a")
    await engine.dispose()
    assert record is not None
    assert (record.call.campaign, record.call.hang_up) == (None, False)
    assert len(record.changes) == 1
    assert record.report is not None


async def test_numbers_of_an_older_database_are_written_as_they_are_compared(any_database_url: str) -> None:
    """Orders and wishes told in calls were kept as they came."""
    london, shown, madrid, mexico = "+442071838750", "+4402071838750", "+34911234567", "+5215512345678"
    engine = database.connect(database.url_of(any_database_url))
    await database.migrate(engine)
    store = Store(engine)
    await store.add("a", to=london)
    rows = [(london, 9.0), (shown, 5.0), ("+4401632960123", 1.0), (madrid, 1.0), (mexico, 1.0), ("+1", 1.0)]
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '0002'"))
        await connection.execute(text(f"UPDATE calls SET to_number = '{shown}'"))
        for number, at_s in rows:
            values = f"VALUES ('{number}', 'call', 'at {at_s:.0f}', NULL, {at_s})"
            await connection.execute(text(f"INSERT INTO do_not_call {values}"))
    await database.migrate(engine)
    assert (await store.call("a")).to_number == london
    listed = await Refusals(engine).page("", 10)
    await engine.dispose()
    assert {row.number for row in listed} == {london, "+441632960123", madrid, mexico, "+1"}
    # Of two that are one number the oldest evidence stays.
    assert [row.evidence for row in listed if row.number == london] == ["at 5"]


async def test_many_may_migrate_at_once(any_database_url: str) -> None:
    engines = [database.connect(database.url_of(any_database_url)) for _ in range(4)]
    await asyncio.gather(*(database.migrate(engine) for engine in engines))
    await Queue(engines[0], "AC1").open()
    for engine in engines:
        await engine.dispose()


@pytest.mark.lasting
async def test_many_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    for number in range(6):
        engines = [database.connect(database.url_of(f"sqlite:///{tmp_path}/{number}.db")) for _ in range(8)]
        await asyncio.gather(*(database.migrate(engine, "0001") for engine in engines))
        for engine in engines:
            await engine.dispose()


async def test_the_queue_is_first_in_first_out(store: Store) -> None:
    for call_id in ("a", "b", "c"):
        await store.add(call_id)
    assert await store.queue.waiting()
    assert [await store.claim() for _ in range(4)] == ["a", "b", "c", None]
    assert not await store.queue.waiting()


async def test_of_many_that_claim_one_gets_a_call(store: Store) -> None:
    await store.add("a")
    claimed = await asyncio.gather(*(store.claim(f"claim{n}") for n in range(8)))
    assert sorted(filter(None, claimed)) == ["a"]


async def test_a_call_that_goes_back_keeps_its_place(store: Store) -> None:
    for call_id in ("a", "b"):
        await store.add(call_id)
    await store.dial("a")
    assert await store.queue.again("a", "mine", NOW_S, "too many")
    assert await store.claim("other") == "a"
    assert (await store.call("a")).tries == 1


async def test_one_slot_in_an_interval_however_many_ask(any_engine: AsyncEngine) -> None:
    store = Store(any_engine, interval_s=1.0)
    await store.queue.open()
    for number in range(8):
        await store.add(f"call{number}")
    taken = await asyncio.gather(*(take(store, NOW_S) for _ in range(8)))
    waits = [wait for wait in taken if isinstance(wait, Wait)]
    assert len(waits) == 7
    assert all(wait.why == "pace" and wait.seconds == pytest.approx(1.0) for wait in waits)
    assert isinstance(await take(store, NOW_S + 1.0), Call)


async def take(store: Store, now_s: float) -> Call | Wait | Paused:
    return await store.dispatch.take("mine", now_s, now_s + 10, free=100)


async def test_the_queue_rests_until_the_latest_moment_anybody_asked_for(store: Store) -> None:
    await store.add("a")
    await store.dispatch.rest(NOW_S + 4)
    await store.dispatch.rest(NOW_S + 1)
    assert await take(store, NOW_S) == Wait(4.0, "pace")


async def test_opening_again_keeps_the_pace(store: Store) -> None:
    await store.dispatch.rest(NOW_S + 4)
    await asyncio.gather(store.queue.open(), store.queue.open())
    assert await take(store, NOW_S) == Wait(4.0, "pace")


async def test_only_the_holder_of_a_claim_that_holds_may_dial(store: Store) -> None:
    await store.add("a")
    await store.claim("mine")
    assert not await store.dispatch.dialling("a", "another", NOW_S)
    assert not await store.dispatch.dialling("a", "mine", NOW_S + 11)
    assert await store.dispatch.dialling("a", "mine", NOW_S)
    assert not await store.dispatch.dialling("a", "mine", NOW_S)


async def test_a_claim_that_ran_out_goes_to_another_and_fences_the_first(store: Store) -> None:
    await store.add("a")
    await store.claim("first")
    assert await store.queue.recover(NOW_S + 9, NOW_S) == (0, 0)
    assert await store.queue.recover(NOW_S + 11, NOW_S) == (1, 0)
    assert await store.claim("second", NOW_S + 11) == "a"
    assert not await store.dispatch.dialling("a", "first", NOW_S + 11)
    assert not await store.queue.release("a", "first", NOW_S + 11, "late")
    assert not await store.queue.fail("a", "first", NOW_S + 11, Refused("x", "late"))
    assert await store.dispatch.dialling("a", "second", NOW_S + 11)


async def test_what_was_sent_is_never_in_the_queue_again(store: Store) -> None:
    await store.add("a")
    await store.dial("a")
    assert await store.queue.recover(NOW_S + 100, NOW_S + 50) == (0, 1)
    assert (await store.call("a")).state == "unconfirmed"
    assert not await store.queue.again("a", "mine", NOW_S, "late")
    assert await store.tracks.unknown("a", NOW_S, "nobody knows")
    assert not await store.queue.waiting()
    assert await store.states("a") == ["queued", "claimed", "dialling", "unconfirmed", "unknown"]


async def test_a_late_refusal_still_ends_it(store: Store) -> None:
    await store.add("a")
    await store.dial("a")
    await store.queue.unconfirmed("a", NOW_S, "timeout")
    assert await store.queue.fail("a", "mine", NOW_S, Refused("21211", "words"))
    call = await store.call("a")
    assert (call.state, call.error_code, call.error) == ("failed", "21211", "words")


async def test_what_waits_too_long_is_given_up(store: Store) -> None:
    await store.add("old", at_s=NOW_S - 100)
    await store.add("new")
    assert await store.queue.expire(NOW_S - 50, NOW_S) == 1
    assert (await store.call("old")).error_code == "expired"
    assert await store.claim() == "new"


async def test_a_call_is_bound_once_by_whoever_comes_first(store: Store) -> None:
    await store.add("a")
    await store.dial("a")
    assert await store.tracks.bind("a", SID, "callback", NOW_S)
    assert await store.tracks.bind("a", SID, "create", NOW_S)
    assert not await store.tracks.bind("a", OTHER, "create", NOW_S)
    call = await store.call(SID)
    assert (call.id, call.call_sid, call.bound_by, call.state) == ("a", SID, "callback", "placed")


async def test_what_was_told_by_elimination_gives_way_to_what_was_said(store: Store) -> None:
    for call_id in ("a", "b"):
        await store.add(call_id)
        await store.dial(call_id)
        await store.queue.unconfirmed(call_id, NOW_S, "timeout")
    assert await store.tracks.bind("a", SID, "list", NOW_S)
    assert not await store.tracks.bind("a", OTHER, "list", NOW_S)
    # SID was b's, as its webhook now says; and a's is another.
    assert await store.tracks.bind("b", SID, "callback", NOW_S)
    assert (await store.call("a")).state == "unknown"
    assert await store.tracks.bind("a", OTHER, "callback", NOW_S)
    assert {(await store.call(x)).call_sid for x in ("a", "b")} == {SID, OTHER}
    assert (await store.call("a")).state == "placed"


async def tell(store: Store, state: State, sequence: int, detail: str = "") -> bool:
    return await store.tracks.tell("a", state, NOW_S, sequence=sequence, answered_by="", detail=detail)


async def test_an_older_log_is_no_news(store: Store) -> None:
    await store.add("a")
    await store.dial("a")
    await store.tracks.bind("a", SID, "create", NOW_S)
    assert await tell(store, "in_progress", 5)
    assert not await tell(store, "ringing", 3)
    assert not await tell(store, "in_progress", 5)
    assert await tell(store, "completed", 9, "caller_hung_up")
    assert not await tell(store, "completed", 10)
    assert await tell(store, "transferred", 11)
    assert not await tell(store, "ringing", 12)
    expected = ["queued", "claimed", "dialling", "placed", "in_progress", "completed", "transferred"]
    assert await store.states("a") == expected


async def test_the_same_news_at_once_is_one_step(store: Store) -> None:
    await store.add("a")
    await store.dial("a")
    await store.tracks.bind("a", SID, "create", NOW_S)
    assert sum(await asyncio.gather(*(tell(store, "ringing", 5) for _ in range(6)))) == 1
    assert (await store.states("a")).count("ringing") == 1


async def test_the_carriers_records_settle_what_is_silent(store: Store) -> None:
    await store.add("a")
    await store.dial("a")
    await store.tracks.bind("a", SID, "create", NOW_S)
    assert await store.tracks.silent(NOW_S - 1) == []
    (silent,) = await store.tracks.silent(NOW_S + 200)
    assert silent.id == "a"
    await store.tracks.checked("a", NOW_S + 200)
    assert not await store.tracks.tell_by_carrier("a", "placed", NOW_S + 200)
    assert await store.tracks.silent(NOW_S + 200) == []
    assert await store.tracks.tell_by_carrier("a", "busy", NOW_S + 400)


async def test_an_idempotency_key_is_for_one_order(store: Store) -> None:
    async def order(call_id: str, to: str = ORDER.to) -> tuple[str, bool]:
        order = Order(to=to, agent="reminder")
        call, new = await store.book.order(order, call_id=call_id, key="k", from_number="+1", now_s=NOW_S)
        return call.id, new

    results = await asyncio.gather(*(order(f"call{n}") for n in range(6)))
    assert sum(new for _, new in results) == 1
    assert len({call_id for call_id, _ in results}) == 1
    with pytest.raises(KeyReused):
        await order("other", to="+15550100009")
    assert len(await store.book.calls(state=None, before=None, limit=10)) == 1


async def test_calls_are_listed_newest_first_in_pages(store: Store) -> None:
    for call_id in ("a", "b", "c"):
        await store.add(call_id)
    await store.claim()
    first = await store.book.calls(state=None, before=None, limit=2)
    assert [call.id for call in first] == ["c", "b"]
    rest = await store.book.calls(state=None, before=first[-1].position, limit=2)
    assert [call.id for call in rest] == ["a"]
    assert [call.id for call in await store.book.calls(state="claimed", before=None, limit=9)] == ["a"]


async def test_a_report_is_kept_once(store: Store) -> None:
    await store.add("a")
    kept = await asyncio.gather(*(store.book.keep_report(SID, "a", f"body{n}", NOW_S) for n in range(5)))
    assert sum(kept) == 1
    record = await store.book.record("a")
    assert record is not None
    assert record.report is not None
    assert await store.book.keep_report(OTHER, None, "inbound", NOW_S)


@pytest.mark.parametrize("url", ["", "x", "mysql://a/b", "postgresql://host:port/x"])
def test_what_is_no_database_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|sqlite"):
        database.url_of(url)


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("sqlite:///x.db", "sqlite+aiosqlite"),
        ("postgresql://u:p@h/n", "postgresql+asyncpg"),
        ("postgres://u:p@h/n", "postgresql+asyncpg"),
        ("postgresql+psycopg2://u:p@h/n", "postgresql+asyncpg"),
    ],
)
def test_the_driver_is_ours(given: str, driver: str) -> None:
    assert database.url_of(given).drivername == driver


def test_a_file_is_for_one_scheduler(tmp_path: Path) -> None:
    url = database.url_of(f"sqlite:///{tmp_path}/var/calls.db")
    claimed = database.claim(url)
    with pytest.raises(DatabaseTaken, match="DATABASE_URL of all of them name one PostgreSQL"):
        database.claim(url)
    claimed.close()
    database.claim(url).close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "postgresql://h/n"])
def test_what_is_no_file_is_for_many(url: str) -> None:
    with database.claim(database.url_of(url)), database.claim(database.url_of(url)):
        pass


@pytest.mark.lasting
async def test_cancelled_writes_leave_the_file_to_others(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    engine = database.connect(make_url(f"sqlite:///{path}").set(drivername="sqlite+aiosqlite"))
    await database.migrate(engine)
    store = Store(engine)
    await store.queue.open()

    for number in range(100):
        await store.add(f"call-{number}")

    def write() -> None:
        other = sqlite3.connect(path, timeout=30, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        other.close()

    start = time.perf_counter()
    await store.claim("a")
    whole_s = time.perf_counter() - start
    for turn in range(1, 60):
        writing = asyncio.create_task(store.dispatch.take("a", NOW_S, NOW_S + turn, free=1000))
        await asyncio.sleep(whole_s * turn / 60)
        writing.cancel()
        await asyncio.wait({writing})
        await asyncio.to_thread(write)
    await engine.dispose()
