"""``voxbus chaos``."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path

from voxbus.devkit.chaos.killer import NATS
from voxbus.devkit.chaos.run import PROCESSES, Options, Run
from voxbus.devkit.nats_server import NatsServerError
from voxbus.devkit.stack import ChildFailed

CANNOT_RUN = 2

KILLABLE = (*PROCESSES, NATS)

DESCRIPTION = (
    "Starts everything on this machine, holds calls that ask one question after another, kills a process every few "
    "seconds and starts it again, and says what each death cost the callers. Exit status 0 only when nothing was lost."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    ours = Options()
    parser.add_argument("--calls", type=int, default=ours.calls, metavar="N", help="default %(default)s")
    parser.add_argument(
        "--minutes", type=float, default=1.0, metavar="M", help="how long each call lasts (default 1)"
    )
    parser.add_argument(
        "--kill",
        type=_services,
        default=ours.kill,
        metavar="SERVICES",
        help=f"of {','.join(KILLABLE)} (default {','.join(ours.kill)})",
    )
    parser.add_argument("--every", type=float, default=ours.every_s, metavar="S", help="default %(default)s")
    parser.add_argument(
        "--down",
        type=float,
        default=ours.down_s,
        metavar="S",
        help="until a successor starts (default %(default)s)",
    )
    parser.add_argument(
        "--signal",
        choices=("KILL", "TERM"),
        default=ours.signal,
        help="how a process ends: at once, or handing its work over (default %(default)s)",
    )
    parser.add_argument(
        "--calm",
        type=float,
        default=ours.calm_s,
        metavar="S",
        help="before the first death, to know how a turn is without one (default %(default)s)",
    )
    parser.add_argument(
        "--spoken",
        type=float,
        default=ours.spoken,
        metavar="SHARE",
        help="of the questions, the others are asked with a key (default %(default)s)",
    )
    parser.add_argument(
        "--outbound",
        type=float,
        metavar="SHARE",
        help="of the calls, ordered from the scheduler (default half of them where it is killed, else none)",
    )
    parser.add_argument("--seed", type=int, default=ours.seed, help="default %(default)s")
    parser.add_argument("--directory", type=Path, help="default var/chaos/DATE-TIME")


def _services(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in KILLABLE]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"services are {', '.join(KILLABLE)}; not {', '.join(unknown)}")
    return names


def _outbound(arguments: argparse.Namespace) -> float:
    if arguments.outbound is not None:
        return float(arguments.outbound)
    return 0.5 if "scheduler" in arguments.kill else 0.0


def main(arguments: argparse.Namespace) -> int:
    ours = Options()
    options = Options(
        calls=arguments.calls,
        talk_s=arguments.minutes * 60,
        kill=arguments.kill,
        every_s=arguments.every,
        down_s=arguments.down,
        signal=arguments.signal,
        calm_s=arguments.calm,
        spoken=arguments.spoken,
        outbound=_outbound(arguments),
        seed=arguments.seed,
        directory=arguments.directory or ours.directory / time.strftime("%Y%m%d-%H%M%S"),
    )
    try:
        cost = asyncio.run(Run(options).run())
    except (ChildFailed, NatsServerError) as error:
        print(f"\n{error}", file=sys.stderr)
        return CANNOT_RUN
    failures = cost.totals.failures()
    for failure in failures:
        print(f"FAILED: {failure}")
    return 1 if failures else 0
