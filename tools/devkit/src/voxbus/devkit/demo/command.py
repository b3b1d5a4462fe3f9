"""``voxbus demo``."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from voxbus.devkit.demo.listen import NoSoundDevice
from voxbus.devkit.demo.run import Options, demo
from voxbus.devkit.stack import ChildFailed

CANNOT_RUN = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--listen", action="store_true", help="play the call while it lasts")
    parser.add_argument("--keep", action="store_true", help="keep the services' logs and the store of NATS")
    parser.add_argument("--seed", type=int, default=1, help="another caller: voice, day and hour (default 1)")
    parser.add_argument("--directory", type=Path, default=Path("var/demo"), help="default var/demo")


def main(arguments: argparse.Namespace) -> int:
    options = Options(arguments.seed, arguments.keep, arguments.listen, arguments.directory)
    try:
        return asyncio.run(demo(options))
    except (NoSoundDevice, ChildFailed) as error:
        print(f"\n{error}", file=sys.stderr)
        return CANNOT_RUN
    except KeyboardInterrupt:
        return 130
