"""``python -m voxbus.devkit.fuzz SECONDS``: an equal share of the time for each target. Exit status 1 for a finding."""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from voxbus.devkit.fuzz import live, readers
from voxbus.devkit.fuzz.target import Target, spend


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m voxbus.devkit.fuzz", description=__doc__)
    parser.add_argument("seconds", nargs="?", type=float, default=60.0, help="for all of it (default: 60)")
    parser.add_argument("--seed", type=int, default=None, help="the same examples again (default: new ones)")
    parser.add_argument("--only", default="", metavar="WORD", help="targets whose name has this in it")
    parser.add_argument("--agents", type=Path, default=Path("agents"), help="agent files to begin with")
    arguments = parser.parse_args(argv)
    seed = random.randrange(2**31) if arguments.seed is None else arguments.seed
    print(f"--seed {seed}")
    reading = [one for one in readers.targets(arguments.agents) if arguments.only in one.name]
    attacks = [name for name in live.NAMES if arguments.only in name]
    share = arguments.seconds / max(1, len(reading) + len(attacks))
    sound = _try_all(reading, share, seed)
    if attacks:
        with live.gateway() as victim:
            chosen = [target for target in victim.targets() if target.name in attacks]
            sound &= _try_all(chosen, share, seed)
            verdict = victim.verdict()
        print(verdict.text)
        sound &= verdict.sound
    print("nothing found" if sound else f"FOUND SOMETHING; again: --seed {seed}")
    return 0 if sound else 1


def _try_all(targets: Sequence[Target], seconds: float, seed: int) -> bool:
    """Also those after one in which something was found."""
    return sum(_try(target, seconds, seed) for target in targets) == len(targets)


def _try(target: Target, seconds: float, seed: int) -> bool:
    began = time.monotonic()
    try:
        tried = spend(target, seconds, seed)
    except Exception:  # noqa: BLE001 - whatever it is, it is what was looked for
        print(f"{target.name}:")
        traceback.print_exc()
        return False
    print(f"{target.name:<16}{tried:>8} in {time.monotonic() - began:.0f} s")
    return True


if __name__ == "__main__":
    sys.exit(main())
