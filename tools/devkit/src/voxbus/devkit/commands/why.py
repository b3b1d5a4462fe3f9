"""``voxbus why CALL``: what went wrong in a call."""

from __future__ import annotations

import argparse
import asyncio
import sys

from voxbus.common.bus import Bus
from voxbus.common.errors import VoxbusError
from voxbus.common.events import Stored
from voxbus.common.subjects import check_sid
from voxbus.devkit import call_logs
from voxbus.devkit.operator_login import bus_config
from voxbus.devkit.terminal import plain
from voxbus.devkit.why.core_account import account, lines

DESCRIPTION = (
    "Says in plain words what was unusual in a call, live or over: slow answers and the stage that was slow, dead air, "
    "what was not understood, interruptions, fallbacks, workers and streams that were replaced, how it ended, and what "
    "became of its report. Shows no number and no word of anybody."
)

GONE = (
    "nothing is kept of that call. The log of a call is in the stream CALLS until an hour after its end, 6 h at most, "
    "and in ARCHIVE for 30 days; after that the scheduler may have its report: GET /v1/reports/{sid}"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("call", metavar="CALL", help="the CallSid")


def main(arguments: argparse.Namespace) -> int:
    try:
        log = asyncio.run(_log(check_sid(arguments.call)))
    except VoxbusError as error:
        print(f"voxbus why: {error}", file=sys.stderr)
        return 1
    if not log:
        print(f"voxbus why: {GONE.format(sid=arguments.call)}", file=sys.stderr)
        return 1
    print("\n".join(map(plain, lines(account(log)))))
    return 0


async def _log(sid: str) -> list[Stored]:
    bus = await Bus.connect(bus_config())
    try:
        return await call_logs.read(bus, sid)
    finally:
        await bus.close()
