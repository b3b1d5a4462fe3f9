"""``voxbus reports``: the reports that no backend took, and how to deliver them after all."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from datetime import datetime

from voxbus.common.bus import Bus
from voxbus.common.errors import SettingsError, VoxbusError
from voxbus.common.settings import load
from voxbus.common.subjects import check_sid
from voxbus.devkit.operator_login import bus_config
from voxbus.devkit.terminal import plain
from voxbus.reporter import ledger
from voxbus.reporter.courier import Courier
from voxbus.reporter.replay import NothingToReport, replay, report_of
from voxbus.reporter.settings import ReporterSettings

DESCRIPTION = (
    "Lists the reports that were given up, shows one, or delivers them from the log or the archive with API_URL and "
    "AGENT_SHARED_SECRET as the reporter has them. Exit status 1 when something could not be delivered."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    what.add_parser("lost", help="list the reports that no backend took")
    show = what.add_parser("show", help="print the report of a call that has ended")
    show.add_argument("call", metavar="CALL", help="the CallSid")
    again = what.add_parser("replay", help="deliver a report again, or all that are lost")
    which = again.add_mutually_exclusive_group(required=True)
    which.add_argument("call", nargs="?", metavar="CALL", help="the CallSid")
    which.add_argument("--all", action="store_true", help="all that are lost")


def main(arguments: argparse.Namespace) -> int:
    try:
        return asyncio.run(_run(arguments))
    except (VoxbusError, NothingToReport) as error:
        print(f"voxbus reports: {error}", file=sys.stderr)
        return 1


async def _run(arguments: argparse.Namespace) -> int:
    call = check_sid(arguments.call) if getattr(arguments, "call", None) else ""
    courier = _courier() if arguments.what == "replay" else None
    bus = await Bus.connect(bus_config())
    try:
        if arguments.what == "show":
            print(json.dumps(json.loads((await report_of(bus, call)).to_json()), indent=2))
            return 0
        if courier is None:
            return await _list(bus)
        calls = [call] if call else [one.call_sid for one in await ledger.lost(bus)]
        return await _replay(bus, courier, calls)
    finally:
        if courier is not None:
            await courier.close()
        await bus.close()


def _courier() -> Courier:
    settings = load(ReporterSettings)
    missing = settings.missing_for_delivery()
    if missing:
        raise SettingsError(f"set {missing}, as the reporter has it")
    return Courier(settings.api_url, settings.secrets, settings.report_timeout_s)


async def _list(bus: Bus) -> int:
    lost = await ledger.lost(bus)
    for one in lost:
        when = datetime.fromtimestamp(one.at_s).astimezone().isoformat(sep=" ", timespec="seconds")
        print(f"{when}  {one.call_sid}  {plain(one.error)} after {one.attempts} attempts")
    if not lost:
        print("no report is lost")
    return 0


async def _replay(bus: Bus, courier: Courier, calls: list[str]) -> int:
    failed = 0
    for sid in calls:
        try:
            answer = await replay(bus, courier, sid)
        except NothingToReport as error:
            print(f"{sid}  {plain(str(error))}")
            failed += 1
            continue
        print(f"{sid}  {plain(str(answer))}")
        failed += answer.verdict != "delivered"
    print(f"{len(calls) - failed} of {len(calls)} delivered")
    return 1 if failed else 0
