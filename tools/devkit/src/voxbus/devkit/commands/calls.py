"""``voxbus calls``: the calls of the log, live ones and those that are over."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from voxbus.common.bus import Bus
from voxbus.common.errors import VoxbusError
from voxbus.devkit import call_logs
from voxbus.devkit.core_calls import HEADING, Row, row
from voxbus.devkit.operator_login import bus_config
from voxbus.devkit.terminal import plain

DESCRIPTION = (
    "Lists calls, the newest first: those that are live, and those that are over as long as their logs are kept (30 "
    "days in the archive). Telephone numbers are left out, and words of callers are never shown: `voxbus tap`."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--last", type=_number, default=20, metavar="N", help="how many (default: 20)")
    parser.add_argument("--live", action="store_true", help="only those that are not over, all of them")
    parser.add_argument("--json", action="store_true", help="as one JSON array")
    parser.add_argument("--show-numbers", action="store_true", help="with telephone numbers")


def _number(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError("a number of calls, 1 to 10000")
    return int(text)


def main(arguments: argparse.Namespace) -> int:
    try:
        rows = asyncio.run(_rows(arguments.last, live=arguments.live))
    except VoxbusError as error:
        print(f"voxbus calls: {error}", file=sys.stderr)
        return 1
    if arguments.live:
        rows = [one for one in rows if one.state == "live"]
    _show(rows, as_json=arguments.json, numbers=arguments.show_numbers)
    return 0


async def _rows(number: int, *, live: bool) -> list[Row]:
    bus = await Bus.connect(bus_config())
    try:
        sids = await (call_logs.live(bus) if live else call_logs.newest(bus, number))
        logs = [await call_logs.read(bus, sid) for sid in sids]
    finally:
        await bus.close()
    # One may be purged between the two.
    return sorted((row(log) for log in logs if log), key=lambda one: -one.started_s)


def _show(rows: Sequence[Row], *, as_json: bool, numbers: bool) -> None:
    if as_json:
        hidden = () if numbers else ("from_number", "to_number")
        print(
            json.dumps([{k: v for k, v in asdict(one).items() if k not in hidden} for one in rows], indent=2)
        )
    elif not rows:
        print("no calls")
    else:
        print("\n".join([HEADING, *(plain(one.line(numbers=numbers)) for one in rows)]))
