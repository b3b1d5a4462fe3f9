"""``python -m voxbus.devkit.audit``: part of ``make check``. Exit status 1 for what must not be released."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from voxbus.devkit.audit import dependencies, images, leaks


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m voxbus.devkit.audit", description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(), help="the project's folder (default: this one)")
    parser.add_argument(
        "--accept",
        action="store_true",
        help=f"write what looks like a secret, and is none, into {leaks.KNOWN}",
    )
    parser.add_argument(
        "--required", action="store_true", help="fail where the database of vulnerabilities cannot be asked"
    )
    parser.add_argument(
        "--images",
        action="store_true",
        help="look into the images that docker-compose.yml has built here, too",
    )
    arguments = parser.parse_args(argv)
    root = arguments.root.resolve()
    if arguments.accept:
        print(f"{leaks.KNOWN}: {leaks.accept(root)} places")
        return 0
    try:
        scanned = images.audit(root) if arguments.images else None
    except OSError as error:
        print(f"images: {error}")
        return 1
    found = [*leaks.scan(root), *(scanned.leaks if scanned is not None else ())]
    for leak in found:
        print(f"{leak.path}:{leak.line}: looks like a secret ({leak.kind})")
    if found:
        print(
            "take it out, and out of the history; or, if it is made up: python -m voxbus.devkit.audit --accept"
        )
    if scanned is not None:
        print(f"images: {scanned.text}")
    audited = dependencies.audit(root)
    print(f"dependencies: {audited.text}")
    return 1 if found or audited.holes or (arguments.required and not audited.asked) else 0


if __name__ == "__main__":
    sys.exit(main())
