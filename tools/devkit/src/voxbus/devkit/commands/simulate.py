"""``voxbus simulate``: the other side of what a call needs, on this machine, with no account anywhere."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from voxbus.common.agent_files import load_agents
from voxbus.common.errors import AgentError
from voxbus.devkit.crm import Crm
from voxbus.devkit.speech import SpeechError, load
from voxbus.devkit.vendors.desk import Desk
from voxbus.devkit.vendors.ear import Phrasebook
from voxbus.devkit.vendors.mind import Mind
from voxbus.devkit.vendors.server import SIMULATED, Vendors

DESCRIPTION = """providers: speaks the vendors' side of the providers' protocols, strictly, and fails on request (POST
/simulator/faults {"vendor", "kind", "after", "times"}); GET /simulator says what was asked, and what was wrong. crm: a
dentist's appointments behind a bearer token, for the tools of the appointment_reminder to ask."""

_PORTS = {"providers": 8095, "crm": 8096}

CANNOT_RUN = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=list(_PORTS), help="what is simulated")
    parser.add_argument("--port", type=int, help="0 = a free one (default 8095; crm: 8096)")
    parser.add_argument("--token", default="", help="of the crm (default: one at random)")
    parser.add_argument("--agents", type=Path, default=Path("agents"), help="whose dialogues the model knows")
    parser.add_argument(
        "--hear", action="append", default=[], metavar="TEXT", help="what speech is taken for; in turn"
    )
    parser.add_argument(
        "--phrase", action="append", default=[], metavar="FILE.wav", type=Path,
        help="speech that is recognized by its sound, as the text of FILE.txt beside it, or the file's name",
    )  # fmt: skip


def main(arguments: argparse.Namespace) -> int:
    if arguments.port is None:
        arguments.port = _PORTS[arguments.what]
    return _crm(arguments) if arguments.what == "crm" else _providers(arguments)


def _crm(arguments: argparse.Namespace) -> int:
    async def serve() -> None:
        async with Crm(token=arguments.token, port=arguments.port) as crm:
            await _shown("an example CRM", crm.environment)
            print(json.dumps({"asked": len(crm.asked)}))

    try:
        asyncio.run(serve())
    except OSError as error:
        print(error, file=sys.stderr)
        return CANNOT_RUN
    return 0


def _providers(arguments: argparse.Namespace) -> int:
    try:
        desk = Desk(mind=Mind(load_agents(arguments.agents).values()), token_delay_s=0.02)
        desk.book = Phrasebook(told=list(arguments.hear) or ["hello"])
        desk.book.learn(load(path, _text_of(path)) for path in arguments.phrase)
        asyncio.run(_serve(Vendors(desk, port=arguments.port)))
    except (AgentError, SpeechError, OSError) as error:
        print(error, file=sys.stderr)
        return CANNOT_RUN
    for wrong in desk.protocol_errors:
        print(f"protocol error: {wrong}", file=sys.stderr)
    return 1 if desk.protocol_errors else 0


def _text_of(path: Path) -> str:
    written = path.with_suffix(".txt")
    return written.read_text("utf-8").strip() if written.exists() else path.stem


async def _serve(vendors: Vendors) -> None:
    async with vendors:
        simulated = ", ".join(f"{service}: {' '.join(names)}" for service, names in SIMULATED.items())
        await _shown(simulated, vendors.environment)
    print(json.dumps(dict(vendors.desk.counts)))


async def _shown(what: str, environment: Mapping[str, str]) -> None:
    """Says how to find it, and returns when it is to end."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    print(f"# {what}\n# for .env, or the services' environment; ctrl-C ends it and says what was asked")
    for name, value in environment.items():
        print(f"{name}={value}", flush=True)
    with contextlib.suppress(asyncio.CancelledError):
        await stop.wait()
