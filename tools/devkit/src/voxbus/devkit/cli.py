"""``voxbus``: what a developer and an operator type."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Sequence

#: Name, module, help. Each module has ``add_arguments(parser)`` and ``main(arguments) -> exit status``; only the one
#: that was asked for is imported, for together they take seconds.
COMMANDS = (
    ("demo", "voxbus.devkit.demo.command", "whole calls on this machine, in and out, explained"),
    ("up", "voxbus.devkit.commands.up", "run NATS and all services on this machine"),
    ("chaos", "voxbus.devkit.chaos.command", "kill processes while calls last, and count what it cost"),
    ("call", "voxbus.devkit.commands.call", "place one call through the simulated carrier"),
    (
        "simulate",
        "voxbus.devkit.commands.simulate",
        "be the vendors of the providers, or an example CRM",
    ),
    ("carrier", "voxbus.devkit.commands.carrier", "run the simulated carrier alone"),
    ("tap", "voxbus.devkit.commands.tap", "show the events of a call, live"),
    ("calls", "voxbus.devkit.commands.calls", "list the calls of the log"),
    ("why", "voxbus.devkit.commands.why", "say what went wrong in a call"),
    ("reports", "voxbus.devkit.commands.reports", "list, show and deliver reports that were lost"),
    ("erase", "voxbus.devkit.commands.erase", "remove what is kept of a telephone number"),
    ("connect", "voxbus.devkit.commands.connect", "have a telephone number call this machine"),
    ("doctor", "voxbus.devkit.commands.doctor", "say what is configured, and what is missing"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(prog="voxbus", description="Phone voice agents on a NATS bus.")
    subparsers = parser.add_subparsers(dest="command", title="commands", metavar="COMMAND", required=True)
    asked = given[0] if given else ""
    for name, module, summary in COMMANDS:
        command = subparsers.add_parser(name, help=summary)
        if name == asked:
            chosen = importlib.import_module(module)
            command.description = getattr(chosen, "DESCRIPTION", f"{summary.capitalize()}.")
            chosen.add_arguments(command)
    parsed = parser.parse_args(given)
    # What went wrong is for the command to say; tracebacks of libraries on the way there would bury it.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        status: int = chosen.main(parsed)
    except KeyboardInterrupt:
        return 130
    return status


if __name__ == "__main__":
    sys.exit(main())
