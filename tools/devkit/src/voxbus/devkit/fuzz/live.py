"""A gateway of one's own under attack, and how it bore it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voxbus.devkit.children import Child
from voxbus.devkit.fuzz.attacks import Attacker
from voxbus.devkit.fuzz.control import Control
from voxbus.devkit.fuzz.target import Target
from voxbus.devkit.stack import Stack

#: Streams and requests hold memory while they last; what stays behind is a leak.
MOST_MB: Final = 120.0

NAMES: Final = ("raw requests", "webhooks", "JSON bodies", "handshakes", "media streams", "WebSocket frames")

_READY_S: Final = 90.0
_QUIET_S: Final = 20.0


@dataclass(frozen=True)
class Verdict:
    sound: bool
    text: str


class Victim:
    def __init__(self, child: Child, log: Path, attacker: Attacker, control: Control) -> None:
        self._child = child
        self._log = log
        self._attacker = attacker
        self._control = control
        self._before_mb = self._memory_mb()

    def targets(self) -> list[Target]:
        strategies = self._attacker.attacks()
        return [Target(name, *strategies[name], again=False) for name in NAMES]

    def verdict(self) -> Verdict:
        """Ends the attack."""
        try:
            return self._examine()
        except OSError as error:
            # It ends, or has ended: its metrics and its entry in /proc go one after the other.
            return Verdict(False, f"the gateway does not answer ({type(error).__name__})")

    def _examine(self) -> Verdict:
        faults = []
        if self._child.status is not None:
            return Verdict(False, f"the gateway is gone (exit status {self._child.status})")
        if (left := self._streams_left()) != 1:
            faults.append(f"{left:.0f} streams are open, and not the one beside it alone")
        if unhandled := self._metric("voxbus_unhandled_errors_total"):
            faults.append(f"{unhandled:.0f} errors reached the loop")
        if tracebacks := self._tracebacks():
            faults.append(f"{len(tracebacks)} tracebacks in its log, the first:\n{tracebacks[0]}")
        grown = self._memory_mb() - self._before_mb
        if grown > MOST_MB:
            faults.append(f"it has grown by {grown:.0f} MB")
        witness = self._control.witness()
        if not witness.sound:
            faults.append("the call beside it suffered")
        text = f"{witness.text}\nthe gateway has grown by {grown:.0f} MB"
        return Verdict(not faults, "\n".join((text, *faults)))

    def _streams_left(self) -> float:
        until = time.monotonic() + _QUIET_S
        while (streams := self._metric("voxbus_gateway_calls")) != 1 and time.monotonic() < until:
            time.sleep(0.1)
        return streams

    def _metric(self, name: str) -> float:
        url = f"http://127.0.0.1:{self._child.port('metrics_port')}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(f"{name} "):
                    return float(line.split()[-1])
        return 0.0

    def _tracebacks(self) -> list[str]:
        lines = (json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{"))
        return [line["traceback"] for line in lines if "traceback" in line]

    def _memory_mb(self) -> float:
        pages = int(Path(f"/proc/{self._child.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextlib.contextmanager
def gateway() -> Iterator[Victim]:
    """NATS, one gateway with all its checks on, and a call that goes on beside. The stack has a thread of its own."""
    token = secrets.token_hex(16)
    env = {
        "TWILIO_AUTH_TOKEN": token,
        "TWILIO_VALIDATE": "on",
        "PUBLIC_URL": "",
        "PHONE": "on",
        "PHONE_TOKEN": "",
        "REQUEST_SECONDS": "2",
    }
    others = ("stt", "llm", "tts", "reporter", "scheduler")
    stack = Stack(counts=dict.fromkeys(others, 0), env=env)
    with _running(stack):
        child = stack.children["gateway-0"]
        with Control(stack.gateway_url, token, lambda login: stack.bus_config("control", login)) as control:
            attacker = Attacker(stack.gateway_url, token, stack.secret("INTERNAL_SECRET"))
            yield Victim(child, stack.directory / "gateway-0.log", attacker, control)


@contextlib.contextmanager
def _running(stack: Stack) -> Iterator[None]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="stack", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(stack.__aenter__(), loop).result(_READY_S)
        yield
    finally:
        asyncio.run_coroutine_threadsafe(stack.stop(), loop).result(_READY_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
