"""``voxbus erase``: removes what is kept of a telephone number, and says what that was."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from voxbus.common import subjects
from voxbus.common.bus import Bus, BusConfig
from voxbus.common.errors import SettingsError, VoxbusError
from voxbus.common.events import Started, Status, Stored
from voxbus.common.fold import fold
from voxbus.common.recordings import Removal, Removed, decode, encode
from voxbus.common.settings import load
from voxbus.devkit import call_logs
from voxbus.devkit.operator_login import bus_config, is_of_up
from voxbus.devkit.stack import UP_DIRECTORY, database_in
from voxbus.scheduler import database
from voxbus.scheduler.core_numbers import kept_as, same
from voxbus.scheduler.settings import SchedulerSettings
from voxbus.scheduler.store.erasure import Erased, Erasure

DESCRIPTION = (
    "Removes a telephone number's calls, their history, reports, transcripts, logs and recordings, and its contacts: "
    "from the scheduler's database (DATABASE_URL, else that of `voxbus up` in this folder), from NATS, and from the "
    "disks of the gateways that are up. On the do-not-call list the number stays, without what was said. What a "
    "backend has been told is the backend's. Exit status 1 when something is left, which it names: run it again then."
)
#: More calls than NATS keeps.
_ALL = 10_000_000
#: So many calls are asked about at once; and how long gateways may take to remove the recordings of those.
_AT_ONCE = 500
_ANSWER_S = 3.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--number", required=True, metavar="+1...", help="with + and its country code")


def main(arguments: argparse.Namespace) -> int:
    try:
        number = kept_as(arguments.number)
        rows, logs = asyncio.run(_erase(number))
    except (VoxbusError, ValueError) as error:
        print(f"voxbus erase: {error}", file=sys.stderr)
        return 2
    except (SQLAlchemyError, OSError) as error:
        # Its text repeats the statement with its values.
        print(f"voxbus erase: the database cannot be used: {type(error).__name__}", file=sys.stderr)
        return 2
    print(f"database: {rows.calls} calls, {rows.reports} reports, {rows.contacts} contacts removed")
    print(f"NATS: the logs and transcripts of {logs.removed} calls removed")
    print(f"recordings: {logs.files} files removed")
    if rows.listed:
        print("the number stays on the do-not-call list; what was said was removed from it")
    going_on = max(rows.going_on, logs.going_on)
    if going_on:
        print(f"{going_on} calls are not over, and were left: run this again afterwards")
    if logs.unreached:
        print(
            f"{logs.unreached} calls have recordings that no gateway removed, so their logs were left, which say where "
            f"those are: run this again when the gateways are up that keep them ({', '.join(sorted(logs.stores))})"
        )
    return 1 if going_on or logs.unreached else 0


@dataclass
class _Logs:
    """``files``: of recordings. ``unreached``: calls whose recordings were not removed, kept in these ``stores``.
    ``left``: CallSids of those, and of calls that go on by their logs."""

    removed: int = 0
    going_on: int = 0
    files: int = 0
    unreached: int = 0
    stores: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)


async def _erase(number: str) -> tuple[Erased, _Logs]:
    config = bus_config()
    engine = database.connect(_database(config))
    bus = await Bus.connect(config)
    try:
        await database.migrate(engine)
        erasure = Erasure(engine)
        found = await erasure.begin(number, time.time())
        for session in found.calls:
            await bus.contexts.delete(subjects.context_of_session(session))
        logs = await _erase_logs(bus, number, found.call_sids)
        # The rows last: whoever has to run this again learns from them what there is to remove.
        return await erasure.finish(found, logs.left), logs
    finally:
        await engine.dispose()
        await bus.close()


def _database(config: BusConfig) -> URL:
    """``DATABASE_URL``, else that of ``voxbus up`` in this folder where the bus is that one's.

    Raises SettingsError where a file is named that is none: calls would be kept elsewhere, and nobody would be told.
    """
    settings = load(SchedulerSettings)
    url = settings.database
    if "database_url" not in settings.model_fields_set and is_of_up(config):
        url = database.url_of(database_in(UP_DIRECTORY))
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise SettingsError(
            f"there is no database at {url.database or 'sqlite://'}: set DATABASE_URL to what the scheduler has there; "
            "a scheduler that never ran has none yet"
        )
    return url


async def _erase_logs(bus: Bus, number: str, known: frozenset[str]) -> _Logs:
    """Every log is looked into: calls in are in no database."""
    logs = _Logs()
    over: dict[str, list[Stored]] = {}
    for sid in await call_logs.newest(bus, _ALL):
        log = await call_logs.read(bus, sid)
        if sid not in known and not any(same(told, number) for told in _numbers(log)):
            continue
        if fold(log).ended is None:
            logs.going_on += 1
            logs.left.add(sid)
        else:
            over[sid] = log
    left = await _erase_recordings(bus, {sid: _stores(log) for sid, log in over.items()}, known, logs)
    for sid, log in over.items():
        if sid in left:
            continue
        await bus.purge_log(sid, through=log[-1].sequence)
        await bus.purge_archive(sid)
        await bus.lost_reports.delete(sid)
        logs.removed += 1
    for sid in (over.keys() | known) - logs.left:
        await bus.contexts.delete(subjects.context_of_call(sid))
    return logs


async def _erase_recordings(
    bus: Bus, stores: dict[str, set[str]], known: frozenset[str], logs: _Logs
) -> set[str]:
    """``stores``: by call, which recordings its log says it is in. Returns the calls of which some may be left."""
    # A row without a log, or a log that a gateway died before it could write to, may have had a recording of which
    # nobody knows where it is: whoever has it removes it.
    calls = sorted(stores.keys() | known)
    gone: set[tuple[str, str]] = set()
    kept_back: set[tuple[str, str]] = set()
    for at in range(0, len(calls), _AT_ONCE):
        asked = tuple(calls[at : at + _AT_ONCE])
        async for answer in bus.ask_all(subjects.REMOVE_RECORDINGS, encode(Removal(asked)), _ANSWER_S):
            removed = decode(Removed, answer)
            logs.files += removed.files
            gone |= {(sid, removed.store) for sid in asked}
            kept_back |= {(sid, removed.store) for sid in removed.left}
    gone -= kept_back
    missing = {sid: {store for store in kept if (sid, store) not in gone} for sid, kept in stores.items()}
    left = {sid for sid, kept in missing.items() if kept}
    logs.unreached = len(left)
    logs.left |= left
    logs.stores = set().union(*missing.values())
    return left


def _stores(log: list[Stored]) -> set[str]:
    """Where the call has recordings."""
    parts = fold(log).recordings.values()
    told = [event for part in parts for event in (part.started, part.ended) if event is not None]
    return {event.store for event in told if event.place}


def _numbers(log: list[Stored]) -> set[str]:
    told = [stored.event for stored in log if isinstance(stored.event, Started | Status)]
    return {number for event in told for number in (event.from_number, event.to_number)}
