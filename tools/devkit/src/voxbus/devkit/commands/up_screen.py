"""What ``voxbus up`` shows: what to do next, and its services' logs in a form for people."""

from __future__ import annotations

import json
import os
from pathlib import Path

from voxbus.devkit import terminal
from voxbus.devkit.doctor.office import NEEDED_TO_DIAL
from voxbus.devkit.phonebook import PHONEBOOK
from voxbus.devkit.stack import Stack

_LEVEL_COLOURS = {"warning": "yellow", "error": "red", "critical": "red"}
_KNOWN = ("time", "level", "service", "logger", "message", "worker", "traceback")


def hello(stack: Stack, secrets: Path, *, carrier: bool) -> str:
    """``secrets``: where those are that were made; ``carrier``: a simulated one is in front of the stack."""
    lines = [f"voxbus is up; NATS at {stack.nats_url}, logs in {stack.directory}"]
    lines += [f"gateway:   {url}" for url in stack.gateway_urls]
    lines += [f"scheduler: {stack.url_of(name)}" for name in stack.names("scheduler")]
    lines += _phone(stack, carrier=carrier)
    lines += _simulated() if carrier else _real()
    if stack.names("scheduler"):
        lines += _calls_out(stack, secrets, carrier=carrier)
    with_token = f"{source(secrets)}; " if carrier else ""
    lines.append(
        f"A call in without a telephone: {with_token}voxbus call. Every call, live: voxbus tap --all."
    )
    lines.append("What is missing: voxbus doctor.")
    return "\n".join(lines)


def _phone(stack: Stack, *, carrier: bool) -> list[str]:
    if not stack.names("gateway") or os.environ.get("PHONE") == "off":
        return []
    # The simulated carrier has the gateway on this machine for its public one.
    if os.environ.get("PUBLIC_URL") and not carrier and not os.environ.get("PHONE_TOKEN"):
        return ["The browser phone is closed while PUBLIC_URL is set: set PHONE_TOKEN to open it."]
    # A browser gives a page on this name the microphone.
    return [f"Talk to it in the browser: {stack.gateway_url.replace('127.0.0.1', 'localhost')}/phone"]


def _simulated() -> list[str]:
    shown = [f"  {listed.number}  {listed.who}" for listed in PHONEBOOK]
    return ["A simulated carrier has these telephones, and all others are as the first:", *shown]


def _real() -> list[str]:
    public = os.environ.get("PUBLIC_URL", "").rstrip("/")
    if public:
        lines = [
            f"Voice URL of your number: {public}/twilio/voice   (POST)",
            f"status callback:          {public}/twilio/status  (POST)",
        ]
    else:
        lines = [
            "No telephone reaches this machine yet: open a tunnel to the gateway, set PUBLIC_URL to its https",
            "address, and give your number the Voice URL PUBLIC_URL/twilio/voice.",
        ]
    if not os.environ.get("TWILIO_AUTH_TOKEN") and os.environ.get("TWILIO_VALIDATE", "on") != "off":
        lines += [
            "Every call is refused until TWILIO_AUTH_TOKEN is set. To try it on this machine alone, where nobody",
            "else can reach it, set TWILIO_VALIDATE=off instead, or start with --carrier.",
        ]
    return lines


def _calls_out(stack: Stack, secrets: Path, *, carrier: bool) -> list[str]:
    missing = [name for name in NEEDED_TO_DIAL if not carrier and not os.environ.get(name)]
    if missing:
        return [f"To place calls, set {', '.join(missing)}; or start with --carrier, which simulates one."]
    number = PHONEBOOK[0].number if carrier else "+THE_NUMBER"
    return ["Place a call:", f"  {order_line(stack.scheduler_url, secrets, number)}"]


def order_line(scheduler_url: str, secrets: Path, number: str) -> str:
    """What rings ``number``, to be typed in another terminal."""
    first = "" if os.environ.get("SCHEDULER_SECRET") else f"{source(secrets)}; "
    order = json.dumps({"to": number, "agent": "appointment_reminder"})
    bearer = '-H "Authorization: Bearer $SCHEDULER_SECRET"'
    return f"{first}curl {scheduler_url}/trigger-outbound {bearer} -d '{order}'"


def source(path: Path) -> str:
    """Reads the file into a shell; as one would type it here."""
    return f". {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}"


def readable(line: str) -> str:
    """A JSON log line as text; any other as it is."""
    try:
        fields = json.loads(line)
        message, level = fields["message"], fields["level"]
    except (ValueError, KeyError, TypeError):
        return terminal.plain(line)
    more = "".join(f" {name}={value}" for name, value in fields.items() if name not in _KNOWN)
    text = terminal.plain(f"{str(fields.get('time', ''))[11:23]} {level:<7} {message}{more}")
    if "traceback" in fields:
        text = "\n".join((text, *map(terminal.plain, str(fields["traceback"]).splitlines())))
    return terminal.coloured(text, _LEVEL_COLOURS[level]) if level in _LEVEL_COLOURS else text
