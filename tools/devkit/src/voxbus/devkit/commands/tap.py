"""``voxbus tap``: what happens in a call, as it happens."""

from __future__ import annotations

import argparse
import asyncio
import sys

from voxbus.common.bus import Bus, BusConfig
from voxbus.common.errors import VoxbusError
from voxbus.common.events import Ended, Stored
from voxbus.common.subjects import check_sid
from voxbus.devkit import terminal
from voxbus.devkit.core_narrate import PUBLISHERS, narrate
from voxbus.devkit.operator_login import bus_config

DESCRIPTION = (
    "Shows what was decided in a call so far, and then what happens, until the call is over. Words and telephone "
    "numbers are shown as they are: keep the output to yourself."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("call", nargs="?", metavar="CALL", help="the CallSid")
    which.add_argument("--all", action="store_true", help="every call, from now on")


def main(arguments: argparse.Namespace) -> int:
    try:
        sid = "" if arguments.all else check_sid(arguments.call)
        asyncio.run(tap(bus_config(), sid))
    except VoxbusError as error:
        print(f"voxbus tap: {error}", file=sys.stderr)
        return 1
    return 0


async def tap(config: BusConfig, sid: str) -> None:
    """Prints until the call is over; every call, and for ever, when ``sid`` is empty."""
    bus = await Bus.connect(config)
    over = asyncio.Event()

    def show(stored: Stored) -> None:
        print(line(stored, with_call=not sid), flush=True)
        if sid and isinstance(stored.event, Ended):
            over.set()

    print("Nothing is masked here: words and numbers of callers follow.", flush=True)
    try:
        if sid:
            log = await bus.open_log(sid, show)
            for stored in log.snapshot:
                show(stored)
        else:
            await bus.follow(show)
        await over.wait()
    finally:
        await bus.close()


def line(stored: Stored, *, with_call: bool) -> str:
    event = stored.event
    who = terminal.service(PUBLISHERS[type(event)])
    call = terminal.coloured(f"{event.call[-6:]}  ", "grey") if with_call else ""
    return f"{terminal.clock(stored.time_s)}  {call}{who}{event.kind:<20}{terminal.plain(narrate(event))}"
