"""``voxbus demo``."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from voxbus.devkit.demo.campaign import ENVIRONMENT, campaign
from voxbus.devkit.demo.listen import NoSoundDevice
from voxbus.devkit.demo.office import NotOrdered
from voxbus.devkit.demo.run import Options, demo
from voxbus.devkit.demo.vendors import Providers
from voxbus.devkit.stack import ChildFailed

CANNOT_RUN = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--inbound", action="store_true", help="only the call in: somebody rings the agent")
    parser.add_argument("--outbound", action="store_true", help="only the call out: the agent rings somebody")
    parser.add_argument(
        "--campaign",
        action="store_true",
        help="call thirty contacts in four time zones instead, with a live table",
    )
    parser.add_argument("--listen", action="store_true", help="play the calls while they last")
    parser.add_argument("--keep", action="store_true", help="keep the services' logs and the store of NATS")
    parser.add_argument(
        "--seed", type=int, default=1, help="other people: voices, days and hours (default 1)"
    )
    parser.add_argument(
        "--providers",
        choices=("embedded", "simulated"),
        default="embedded",
        help="what is embedded, or simulated vendors over their real protocols",
    )
    for service, embedded in (("stt", "pocketsphinx"), ("llm", "scripted"), ("tts", "espeak")):
        parser.add_argument(f"--{service}", default=embedded, help=f"the provider (default {embedded})")
    parser.add_argument("--directory", type=Path, default=Path("var/demo"), help="default var/demo")


def main(arguments: argparse.Namespace) -> int:
    both = arguments.inbound == arguments.outbound
    providers = Providers(
        arguments.stt, arguments.llm, arguments.tts, simulated=arguments.providers == "simulated"
    )
    if unknown := providers.unknown():
        print(unknown, file=sys.stderr)
        return CANNOT_RUN
    options = Options(
        inbound=both or arguments.inbound,
        outbound=both or arguments.outbound,
        seed=arguments.seed,
        keep=arguments.keep,
        listen=arguments.listen,
        directory=arguments.directory,
        providers=providers,
        environment=ENVIRONMENT if arguments.campaign else {},
    )
    try:
        return asyncio.run(campaign(options) if arguments.campaign else demo(options))
    except (NoSoundDevice, ChildFailed, NotOrdered) as error:
        print(f"\n{error}", file=sys.stderr)
        return CANNOT_RUN
    except KeyboardInterrupt:
        return 130
