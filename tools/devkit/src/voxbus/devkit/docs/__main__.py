"""``python -m voxbus.devkit.docs``: writes the generated documents; with ``--check`` only says which are stale."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from voxbus.common import report
from voxbus.devkit.docs import configuration, dotenv, events, metrics, trust


def _report_schema() -> str:
    return json.dumps(report.schema(), indent=2) + "\n"


DOCUMENTS = {
    ".env.example": dotenv.page,
    "docs/configuration.md": configuration.page,
    "docs/events.md": events.page,
    "docs/metrics.md": metrics.page,
    "docs/trust.md": trust.page,
    "docs/call-report.schema.json": _report_schema,
}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m voxbus.devkit.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when a document is stale")
    parser.add_argument("--root", type=Path, default=Path(), help="the project's folder (default: this one)")
    arguments = parser.parse_args(argv)
    stale = 0
    for name, page in DOCUMENTS.items():
        path = arguments.root / name
        text = page()
        if path.exists() and path.read_text() == text:
            continue
        stale += 1
        if arguments.check:
            print(f"{name} is not what the classes say: run `make docs`")
        else:
            path.write_text(text)
            print(f"wrote {name}")
    return 1 if stale and arguments.check else 0


if __name__ == "__main__":
    sys.exit(main())
