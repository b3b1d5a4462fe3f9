"""``voxbus up``: NATS and all services on this machine."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shlex
import signal
from pathlib import Path

from voxbus.devkit import phonebook, terminal
from voxbus.devkit.children import ChildFailed
from voxbus.devkit.commands.up_screen import hello, readable
from voxbus.devkit.local_carrier import LocalCarrier
from voxbus.devkit.nats_server import NatsServerError
from voxbus.devkit.stack import SECRETS, SERVICES, UP_DIRECTORY, Stack, database_in

NATS_PORT = 4222

DESCRIPTION = (
    "Runs everything a call needs, with one log. Settings come from the environment; secrets that it does not give are "
    "made for this run, and written to a file that only you can read. ctrl-C drains: calls are handed over or "
    "finished; a second ctrl-C ends everything at once."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    for service in SERVICES:
        parser.add_argument(
            f"--{service}", type=int, default=1, metavar="N", help=f"processes of {service} (default: 1)"
        )
    parser.add_argument(
        "--carrier",
        action="store_true",
        help="simulate a carrier, and people who answer its telephones: nobody real is rung",
    )
    parser.add_argument(
        "--nats-port", type=int, default=NATS_PORT, help="of our NATS server (default: %(default)s)"
    )
    parser.add_argument(
        "--directory",
        type=Path,
        default=UP_DIRECTORY,
        help="for logs, the scheduler's database and the store of NATS (default: %(default)s)",
    )


def gateway_port() -> str:
    return os.environ.get("GATEWAY_PORT") or "8080"


def given() -> dict[str, str]:
    """What the environment says of that which ties the services together."""
    found = {name: os.environ[name] for name in (*SECRETS, "DATABASE_URL") if os.environ.get(name)}
    if os.environ.get("API_URL"):
        # A backend that is not ours knows nothing of a secret that we make up.
        found["API_URL"] = os.environ["API_URL"]
        found["AGENT_SHARED_SECRET"] = os.environ.get("AGENT_SHARED_SECRET", "")
    return found


def main(arguments: argparse.Namespace) -> int:
    try:
        asyncio.run(_up(arguments))
    except (ChildFailed, NatsServerError) as error:
        print(f"voxbus up: {error}")
        return 1
    return 0


async def _up(arguments: argparse.Namespace) -> None:
    async with contextlib.AsyncExitStack() as carrier_open:
        carrier = (
            LocalCarrier(f"http://127.0.0.1:{gateway_port()}", *phonebook.telephones())
            if arguments.carrier
            else None
        )
        if carrier is not None:
            await carrier_open.enter_async_context(carrier)
            await asyncio.to_thread(phonebook.rehearse)
        await _run(_stack(arguments, carrier.environment if carrier else {}), carrier)


def _stack(arguments: argparse.Namespace, environment: dict[str, str]) -> Stack:
    ports = {"GATEWAY_PORT": gateway_port(), "SCHEDULER_PORT": os.environ.get("SCHEDULER_PORT") or "8090"}
    return Stack(
        counts={service: getattr(arguments, service) for service in SERVICES},
        env=ports | given() | environment,
        directory=arguments.directory.resolve(),
        nats_url=os.environ.get("NATS_URL", ""),
        nats_port=arguments.nats_port,
        on_line=lambda name, text: print(f"{terminal.service(name)} {readable(text)}", flush=True),
    )


async def _run(stack: Stack, carrier: LocalCarrier | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(130)  # children die with us
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    starting = asyncio.create_task(stack.__aenter__())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.wait((starting,))
        return
    await starting
    made = stack.directory / "secrets.env"
    try:
        if carrier is not None:
            carrier.serve(stack)
        write_secrets(stack, carrier, made)
        print(terminal.coloured(hello(stack, made, carrier=carrier is not None), "bold"), flush=True)
        keepers = [asyncio.create_task(_keep(stack, name)) for name in stack.children]
        await stopping
        print("draining; once more to end at once", flush=True)
        for keeper in keepers:
            keeper.cancel()
    finally:
        await stack.stop()
        made.unlink(missing_ok=True)


def write_secrets(stack: Stack, carrier: LocalCarrier | None, path: Path) -> None:
    """Those that were made for this run, for a shell to read: nobody knows them otherwise. And where calls are kept."""
    made = {name: stack.secret(name) for name in SECRETS if name not in given()}
    if "DATABASE_URL" not in given():
        made["DATABASE_URL"] = database_in(stack.directory)
    if (login := stack.bus_config("").nkey_file) is not None:
        made["NATS_NKEY_FILE"] = str(login)
    if carrier is not None:
        made["TWILIO_AUTH_TOKEN"] = carrier.exchange.auth_token
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.writelines(f"export {name}={shlex.quote(value)}\n" for name, value in made.items())


async def _keep(stack: Stack, name: str) -> None:
    """Starts a process again that ended by itself, as an orchestrator would."""
    pause_s = 1.0
    while True:
        status = await stack.children[name].wait()
        print(f"{terminal.service(name)} ended with status {status}; starting it again", flush=True)
        await asyncio.sleep(pause_s)
        try:
            await stack.restart(name)
            pause_s = 1.0
        except ChildFailed:  # its last words are on the screen already
            pause_s = min(pause_s * 2, 30.0)
