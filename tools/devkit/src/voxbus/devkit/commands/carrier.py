"""``voxbus carrier``: the simulated carrier alone, for services that run somewhere else, such as in containers."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

from voxbus.common.errors import SettingsError
from voxbus.common.settings import load
from voxbus.common.telemetry import HealthServer
from voxbus.devkit import phonebook
from voxbus.devkit.carrier import Exchange, RestApi, Route
from voxbus.devkit.environment import CarrierSettings

DESCRIPTION = (
    "Takes orders for calls as Twilio's REST API does (TWILIO_API_URL of the scheduler names it), rings its simulated "
    "telephones, and puts the calls through to the gateway under PUBLIC_URL. Signs with TWILIO_AUTH_TOKEN. Nobody "
    "real is rung."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="where it listens (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8092, help="(default: %(default)s)")
    parser.add_argument(
        "--gateway",
        action="append",
        metavar="URL",
        help="where PUBLIC_URL leads; several: the first that answers (default: PUBLIC_URL itself)",
    )


def main(arguments: argparse.Namespace) -> int:
    try:
        settings = load(CarrierSettings)
        if not settings.token:
            raise SettingsError("TWILIO_AUTH_TOKEN is not set: the gateway takes nothing that is not signed")
        asyncio.run(_serve(settings, arguments.host, arguments.port, tuple(arguments.gateway or ())))
    except (SettingsError, OSError) as error:
        print(f"voxbus carrier: {error}", file=sys.stderr)
        return 1
    return 0


async def _serve(settings: CarrierSettings, host: str, port: int, gateways: tuple[str, ...]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    telephones, default = phonebook.telephones()
    exchange = Exchange(
        auth_token=settings.token,
        account_sid=settings.twilio_account_sid,
        telephones=telephones,
        default=default,
        route=Route(settings.public, gateways) if gateways else Route(),
    )
    health = HealthServer(lambda: "")
    await asyncio.to_thread(phonebook.rehearse)
    async with exchange, RestApi(exchange, host=host, port=port) as api:
        await health.start(settings.metrics_host, settings.metrics_port)
        print(f"the simulated carrier takes orders at {api.url}; its telephones:", flush=True)
        for listed in phonebook.PHONEBOOK:
            print(f"  {listed.number}  {listed.who}", flush=True)
        await stop.wait()
        await health.close()
