"""``voxbus up``: NATS and all services on this machine."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
from pathlib import Path

from voxbus.devkit import terminal
from voxbus.devkit.children import ChildFailed
from voxbus.devkit.nats_server import NatsServerError
from voxbus.devkit.stack import SECRETS, SERVICES, Stack

NATS_PORT = 4222

_LEVEL_COLOURS = {"warning": "yellow", "error": "red", "critical": "red"}
_KNOWN = ("time", "level", "service", "logger", "message", "worker", "traceback")


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
        "--nats-port", type=int, default=NATS_PORT, help="of our NATS server (default: %(default)s)"
    )
    parser.add_argument(
        "--directory",
        type=Path,
        default=Path("var/up"),
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
    counts = {service: getattr(arguments, service) for service in SERVICES}
    ports = {"GATEWAY_PORT": gateway_port(), "SCHEDULER_PORT": os.environ.get("SCHEDULER_PORT") or "8090"}
    stack = Stack(
        counts=counts,
        env=ports | given(),
        directory=arguments.directory.resolve(),
        nats_url=os.environ.get("NATS_URL", ""),
        nats_port=arguments.nats_port,
        on_line=lambda name, text: print(f"{terminal.service(name)} {readable(text)}", flush=True),
    )
    try:
        asyncio.run(_up(stack))
    except (ChildFailed, NatsServerError) as error:
        print(f"voxbus up: {error}")
        return 1
    return 0


async def _up(stack: Stack) -> None:
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
        write_secrets(stack, made)
        print(terminal.coloured(hello(stack), "bold"), flush=True)
        keepers = [asyncio.create_task(_keep(stack, name)) for name in stack.children]
        await stopping
        print("draining; once more to end at once", flush=True)
        for keeper in keepers:
            keeper.cancel()
    finally:
        await stack.stop()
        made.unlink(missing_ok=True)


def write_secrets(stack: Stack, path: Path) -> None:
    """Those that were made for this run, for a shell to read: nobody knows them otherwise."""
    path.unlink(missing_ok=True)
    lines = [f"export {name}={stack.secret(name)}\n" for name in SECRETS if name not in given()]
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.writelines(lines)


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


def hello(stack: Stack) -> str:
    """What to do next."""
    public = os.environ.get("PUBLIC_URL", "").rstrip("/")
    lines = [f"voxbus is up; NATS at {stack.nats_url}, logs in {stack.directory}"]
    for url in stack.gateway_urls:
        lines.append(f"gateway: {url}")
    if public:
        lines.append(f"Voice URL of your number: {public}/twilio/voice   (POST)")
        lines.append(f"status callback:          {public}/twilio/status  (POST)")
    else:
        lines.append(
            "No telephone reaches this machine yet: open a tunnel to the gateway, set PUBLIC_URL to its https"
        )
        lines.append("address, and give your number the Voice URL PUBLIC_URL/twilio/voice.")
    if not os.environ.get("TWILIO_AUTH_TOKEN") and os.environ.get("TWILIO_VALIDATE", "on") != "off":
        lines.append(
            "Every call is refused until TWILIO_AUTH_TOKEN is set. To try it on this machine alone, where nobody"
        )
        lines.append("else can reach it, set TWILIO_VALIDATE=off instead.")
    lines.append("A call without a telephone: voxbus call. What is missing: voxbus doctor.")
    if stack.names("scheduler"):
        lines += ["Place a call:", f"  {curl(stack)}"]
    return "\n".join(lines)


def curl(stack: Stack) -> str:
    """One line that rings a telephone, to be typed in another terminal."""
    first = "" if "SCHEDULER_SECRET" in given() else f". {shown(stack.directory / 'secrets.env')}; "
    order = json.dumps({"to": "+15550100123", "agent": "appointment_reminder"})
    return (
        f'{first}curl {stack.scheduler_url}/trigger-outbound -H "Authorization: Bearer $SCHEDULER_SECRET" '
        f"-d '{order}'"
    )


def shown(path: Path) -> Path:
    """As one would type it here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def readable(line: str) -> str:
    """A JSON log line as text; any other as it is."""
    try:
        fields = json.loads(line)
        message, level = fields["message"], fields["level"]
    except (ValueError, KeyError, TypeError):
        return line
    more = "".join(f" {name}={value}" for name, value in fields.items() if name not in _KNOWN)
    text = f"{str(fields.get('time', ''))[11:23]} {level:<7} {message}{more}"
    if "traceback" in fields:
        text += f"\n{fields['traceback']}"
    return terminal.coloured(text, _LEVEL_COLOURS[level]) if level in _LEVEL_COLOURS else text
