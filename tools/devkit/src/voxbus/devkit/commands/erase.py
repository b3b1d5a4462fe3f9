"""``voxbus erase``: removes what is kept of a telephone number, and says what that was."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from voxbus.common import subjects
from voxbus.common.bus import Bus
from voxbus.common.errors import VoxbusError
from voxbus.common.events import Started, Status, Stored
from voxbus.common.fold import fold
from voxbus.common.settings import load
from voxbus.devkit import call_logs
from voxbus.devkit.commands.tap import bus_config
from voxbus.scheduler import database
from voxbus.scheduler.core_numbers import normalize
from voxbus.scheduler.settings import SchedulerSettings
from voxbus.scheduler.store.erasure import Erased, Erasure

DESCRIPTION = (
    "Removes a telephone number's calls, their history, reports, transcripts and logs, and its contacts: from "
    "the scheduler's database (DATABASE_URL) and from NATS. On the do-not-call list the number stays, without what was "
    "said. What a backend has been told is the backend's. Exit status 1 when a call goes on: run it again afterwards."
)
#: More calls than NATS keeps.
_ALL = 10_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--number", required=True, metavar="+1...", help="with + and its country code")


def main(arguments: argparse.Namespace) -> int:
    try:
        number = normalize(arguments.number)
        rows, logs = asyncio.run(_erase(number))
    except (VoxbusError, ValueError) as error:
        print(f"voxbus erase: {error}", file=sys.stderr)
        return 2
    except (SQLAlchemyError, OSError) as error:
        # Its text repeats the statement with its values.
        print(f"voxbus erase: the database cannot be used: {type(error).__name__}", file=sys.stderr)
        return 2
    print(f"database: {len(rows.sessions)} calls, {rows.reports} reports, {rows.contacts} contacts removed")
    print(f"NATS: the logs and transcripts of {logs.removed} calls removed")
    if rows.listed:
        print("the number stays on the do-not-call list; what was said was removed from it")
    going_on = max(rows.going_on, logs.going_on)
    if going_on:
        print(f"{going_on} calls are not over, and were left: run this again afterwards")
    return 1 if going_on else 0


@dataclass
class _Logs:
    removed: int = 0
    going_on: int = 0


async def _erase(number: str) -> tuple[Erased, _Logs]:
    engine = database.connect(load(SchedulerSettings).database)
    bus = await Bus.connect(bus_config())
    try:
        await database.migrate(engine)
        rows = await Erasure(engine).erase(number)
        for session in rows.sessions:
            await bus.contexts.delete(subjects.context_of_session(session))
        return rows, await _erase_logs(bus, number, frozenset(rows.call_sids))
    finally:
        await engine.dispose()
        await bus.close()


async def _erase_logs(bus: Bus, number: str, known: frozenset[str]) -> _Logs:
    """Every log is looked into: calls in are in no database."""
    logs = _Logs()
    for sid in await call_logs.newest(bus, _ALL):
        log = await call_logs.read(bus, sid)
        if sid not in known and number not in _numbers(log):
            continue
        if fold(log).ended is None:
            logs.going_on += 1
            continue
        await bus.purge_log(sid, through=log[-1].sequence)
        await bus.purge_archive(sid)
        await bus.lost_reports.delete(sid)
        logs.removed += 1
    return logs


def _numbers(log: list[Stored]) -> set[str]:
    told = [stored.event for stored in log if isinstance(stored.event, Started | Status)]
    return {number for event in told for number in (event.from_number, event.to_number)}
