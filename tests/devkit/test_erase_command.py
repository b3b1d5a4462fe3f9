"""``voxbus erase`` as it is typed."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from voxbus.common import events as ev
from voxbus.common import subjects
from voxbus.common.bus import Bus, BusConfig
from voxbus.common.trust.files import write
from voxbus.devkit import call_logs
from voxbus.devkit.cli import main
from voxbus.devkit.stack import KEYS, UP_DIRECTORY
from voxbus.scheduler import database
from voxbus.scheduler.core_orders import Order
from voxbus.scheduler.core_rules import House
from voxbus.scheduler.core_window import span
from voxbus.scheduler.store import Limits, Stores

if TYPE_CHECKING:
    from tests.conftest import Script

CALLER, OTHER = "+15550100001", "+12125550199"


@pytest.fixture(autouse=True)
async def place(nats_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_URL", nats_url)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/scheduler.db")
    await make_database(tmp_path / "scheduler.db")


async def make_database(path: Path, *called: str) -> None:
    """As a scheduler leaves it that is to call these."""
    engine = database.connect(database.url_of(f"sqlite:///{path}"))
    await database.migrate(engine)
    stores = Stores.of(engine, "AC1", House(quiet=span(""), attempts_per_day=9), Limits(0.0, 100, 1000.0))
    for number in called:
        order = Order(to=number, agent="a")
        await stores.book.order(order, call_id=number[1:], key=None, from_number="+1", now_s=time.time())
    await engine.dispose()


async def voxbus(*arguments: str) -> int:
    # In a thread: the command has a loop of its own.
    return await asyncio.to_thread(main, arguments)


async def publish(bus: Bus, script: Script) -> str:
    for stored in script.log:
        await bus.append(stored.event)
    return script.sid


async def test_logs_and_archive_of_a_number_are_removed(
    bus: Bus, new_script: Callable[[], Script], capsys: pytest.CaptureFixture[str]
) -> None:
    """Of calls in, which no scheduler knows: every log is looked into."""
    archived = await publish(bus, new_script().start().says(2, "hello").ends())
    events = await bus.read_log(archived)
    await bus.archive(archived, events)
    await bus.purge_log(archived, through=events[-1].sequence)
    over = await publish(bus, new_script().start().ends())
    live = await publish(bus, new_script().start())
    for sid in (over, live):
        await bus.contexts.put(subjects.context_of_call(sid), b"what the order told")
    assert await voxbus("erase", "--number", OTHER) == 0
    assert "0 calls removed" in capsys.readouterr().out
    assert await voxbus("erase", "--number", "+1 555 010 0001") == 1
    said = capsys.readouterr().out
    assert "the logs and transcripts of 2 calls removed" in said
    assert "1 calls are not over, and were left" in said
    assert CALLER not in said
    for sid in (archived, over):
        assert await call_logs.read(bus, sid) == []
    assert await bus.contexts.get(subjects.context_of_call(over)) is None
    assert await call_logs.read(bus, live) != []
    assert await bus.contexts.get(subjects.context_of_call(live)) is not None


@pytest.mark.parametrize(
    ("shown", "asked"),
    [("+4402071838750", "+44 20 7183 8750"), ("+5215512345678", "+52 1 55 1234 5678")],
)
async def test_logs_tell_a_number_as_the_carrier_wrote_it(
    bus: Bus, new_script: Callable[[], Script], shown: str, asked: str
) -> None:
    sid = await publish(bus, new_script().start(from_number=shown).ends())
    assert await voxbus("erase", "--number", asked) == 0
    assert await call_logs.read(bus, sid) == []


@pytest.fixture
async def gateway(bus: Bus, tmp_path: Path) -> Path:
    """What a gateway answers about its recordings, and where those are."""
    recordings = pytest.importorskip("voxbus.gateway.recording", reason="the gateway has the recordings")
    directory = tmp_path / "recordings"
    await bus.answer(subjects.REMOVE_RECORDINGS, recordings.Recordings(directory, 30.0).remove)
    return directory


def keep(directory: Path, store: str, sid: str) -> Path:
    """A recording, as a gateway leaves it."""
    file = directory / sid / "MZ1.wav"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"RIFF")
    (directory / ".store").write_text(store)
    return file


def recorded(script: Script, store: str) -> Script:
    place = f"{script.sid}/MZ1.wav"
    started = ev.RecordingStarted(call=script.sid, stream_sid="MZ1", store=store, place=place)
    return script.start().add(started)


async def test_recordings_are_removed_with_the_rest(
    bus: Bus, gateway: Path, new_script: Callable[[], Script], capsys: pytest.CaptureFixture[str]
) -> None:
    sid = await publish(bus, recorded(new_script(), "s1").ends())
    file, other = keep(gateway, "s1", sid), keep(gateway, "s1", "CA" + "9" * 32)
    assert await voxbus("erase", "--number", CALLER) == 0
    assert "recordings: 1 files removed" in capsys.readouterr().out
    assert (file.parent.exists(), other.exists()) == (False, True)
    assert await call_logs.read(bus, sid) == []


async def test_a_recording_that_no_log_tells_of_is_removed(
    bus: Bus, gateway: Path, new_script: Callable[[], Script], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its gateway was killed before it could say that it records."""
    file = keep(gateway, "s1", await publish(bus, new_script().start().ends()))
    assert await voxbus("erase", "--number", CALLER) == 0
    assert "recordings: 1 files removed" in capsys.readouterr().out
    assert not file.exists()


async def test_what_no_gateway_can_reach_is_not_said_to_be_removed(
    bus: Bus, gateway: Path, new_script: Callable[[], Script], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its log stays, which says where it is, until a gateway that has it answers."""
    script = recorded(new_script(), "elsewhere").ends()
    sid = await publish(bus, script)
    file = keep(gateway, "s1", "CA" + "9" * 32)
    assert await voxbus("erase", "--number", CALLER) == 1
    said = capsys.readouterr().out
    assert "recordings: 0 files removed" in said
    assert "1 calls have recordings that no gateway removed" in said
    assert "elsewhere" in said
    assert await call_logs.read(bus, sid) != []
    assert file.exists()
    # That gateway is up again.
    keep(gateway, "elsewhere", sid)
    shelf = pytest.importorskip("voxbus.gateway.recording")
    await bus.answer(subjects.REMOVE_RECORDINGS, shelf.Recordings(gateway, 30.0).remove)
    assert await voxbus("erase", "--number", CALLER) == 0
    assert await call_logs.read(bus, sid) == []


async def test_whoever_runs_it_again_still_knows_what_there_is(
    bus: Bus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a call without a log only its row says which recordings are of this number."""
    sid = f"CA{os.urandom(16).hex()}"
    await make_database(tmp_path / "scheduler.db", CALLER)
    engine = database.connect(database.url_of(f"sqlite:///{tmp_path}/scheduler.db"))
    async with engine.begin() as connection:
        await connection.execute(text(f"UPDATE calls SET state = 'completed', call_sid = '{sid}'"))
    await engine.dispose()
    file = keep(tmp_path / "recordings", "s1", sid)
    recordings = pytest.importorskip("voxbus.gateway.recording", reason="the gateway has the recordings")
    broken = await bus.answer(subjects.REMOVE_RECORDINGS, lambda _: b"nonsense")
    assert await voxbus("erase", "--number", CALLER) == 2
    assert file.exists()
    await broken.close()
    await bus.answer(subjects.REMOVE_RECORDINGS, recordings.Recordings(tmp_path / "recordings", 30.0).remove)
    capsys.readouterr()
    assert await voxbus("erase", "--number", CALLER) == 0
    said = capsys.readouterr().out
    assert "database: 1 calls" in said
    assert "recordings: 1 files removed" in said
    assert not file.exists()


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which nobody says where calls are kept."""
    monkeypatch.delenv("DATABASE_URL")
    (folder := tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(folder)
    return folder


async def test_what_runs_here_is_erased_from_its_own_database(
    nats_url: str, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(BusConfig, "url", nats_url)  # where `voxbus up` has it
    write(elsewhere / UP_DIRECTORY / KEYS)
    await make_database(elsewhere / UP_DIRECTORY / "scheduler.db", CALLER)
    await make_database(elsewhere / "var" / "scheduler.db")
    assert await voxbus("erase", "--number", CALLER) == 0
    assert "database: 1 calls" in capsys.readouterr().out
    # Who says which one means that one.
    await make_database(elsewhere / "said.db", CALLER, OTHER)
    monkeypatch.setenv("DATABASE_URL", "sqlite:///said.db")
    assert await voxbus("erase", "--number", CALLER) == 0
    assert "database: 1 calls" in capsys.readouterr().out


async def test_a_database_that_is_not_there_is_not_made(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await voxbus("erase", "--number", CALLER) == 2
    said = capsys.readouterr().err
    assert "no database at var/scheduler.db" in said
    assert "set DATABASE_URL" in said
    assert os.listdir(elsewhere) == []


async def test_what_is_no_number_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert await voxbus("erase", "--number", "555") == 2
    assert "not a telephone number" in capsys.readouterr().err
