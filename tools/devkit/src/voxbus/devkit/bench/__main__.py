"""``python -m voxbus.devkit.bench``: prints how long the hot paths take here, and what a turn costs in a whole call.

The last column is the part of one core that 100 running calls spend on the operation.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib
import sys
from typing import Final

from voxbus.devkit.bench import cpu, turn
from voxbus.devkit.bench.timing import Case, measure, table
from voxbus.devkit.caller import ScriptFailed

#: A module each, with ``cases()``. Those of services need the service to be installed.
SUITES: Final = ("common", "gateway", "stt")


def all_cases() -> list[Case]:
    cases: list[Case] = []
    for suite in SUITES:
        try:
            module = importlib.import_module(f"voxbus.devkit.bench.{suite}")
        except ModuleNotFoundError as missing:
            print(f"{suite}: {missing.name} is not installed", file=sys.stderr)
        else:
            cases += module.cases()
    return cases


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m voxbus.devkit.bench", description=__doc__)
    parser.add_argument("only", nargs="?", default="", help="only the operations whose name contains this")
    parser.add_argument(
        "--calls", type=int, default=1, help="calls at once, 0 for none (default: %(default)s)"
    )
    parser.add_argument("--turns", type=int, default=5, help="questions a call (default: %(default)s)")
    arguments = parser.parse_args(argv)
    cases = [case for case in all_cases() if arguments.only in case.name]
    if not cases:
        print(f"no operation is called anything like {arguments.only!r}", file=sys.stderr)
        return 1
    gc.freeze()  # as a service does after its start
    print("\n".join(table([measure(case) for case in cases])))
    if arguments.calls and not arguments.only:
        try:
            measured = asyncio.run(turn.measure_turns(arguments.calls, arguments.turns))
        except ExceptionGroup as failed:
            if failed.split(ScriptFailed)[1] is not None:
                raise
            print(f"\nno turns were measured: {failed.message}, as {failed.exceptions[0]}", file=sys.stderr)
            return 1
        print("\n" + "\n".join(turn.lines(measured.latencies, arguments.calls)))
        print("\n" + "\n".join(cpu.lines(measured.cpu_s, measured.held_s)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
