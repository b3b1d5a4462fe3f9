"""The reporter as a process that dies at any moment."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

import pytest

from voxbus.common.bus import Bus
from voxbus.common.events import ReportDelivered
from voxbus.common.fold import fold

if TYPE_CHECKING:
    from tests.conftest import Script
    from tests.reporter.conftest import Backend

_VARIABLES = ("API_URL", "AGENT_SHARED_SECRET", "NATS_URL", "LOG_KEEP_S")


class Spawn(Protocol):
    def __call__(self, **environment: str) -> subprocess.Popen[str]: ...


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    children: list[subprocess.Popen[str]] = []

    def start(**environment: str) -> subprocess.Popen[str]:
        clean = {name: value for name, value in os.environ.items() if name not in _VARIABLES}
        child = subprocess.Popen(
            [sys.executable, "-m", "voxbus.reporter"],
            env=clean | environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.wait()
        if child.stderr is not None:
            child.stderr.close()


@pytest.fixture
def environment(nats_url: str, backend: Backend) -> dict[str, str]:
    return {"NATS_URL": nats_url, "API_URL": backend.url, "AGENT_SHARED_SECRET": "secret", "LOG_KEEP_S": "0"}


async def publish(bus: Bus, script: Script) -> None:
    for stored in script.log:
        await bus.append(stored.event)


async def until_purged(bus: Bus, sids: list[str], timeout_s: float) -> None:
    async with asyncio.timeout(timeout_s):
        for sid in sids:
            while await bus.read_log(sid):
                await asyncio.sleep(0.05)


async def test_killed_while_the_backend_thinks(
    bus: Bus, backend: Backend, script: Script, spawn: Spawn, environment: dict[str, str]
) -> None:
    backend.answers[:] = ["hang", 200]
    first = spawn(**environment)
    await publish(bus, script.start().says(2, "hello").ends())
    await backend.until(lambda b: len(b.requests) == 1)
    first.send_signal(signal.SIGKILL)
    spawn(**environment)
    await until_purged(bus, [script.sid], 60)
    one, two = backend.requests
    assert one.body == two.body
    assert one.headers["idempotency-key"] == two.headers["idempotency-key"] == script.sid
    assert isinstance(fold(await bus.read_archive(script.sid)).reported, ReportDelivered)


async def test_killed_again_and_again_no_report_is_lost_and_none_doubled(
    bus: Bus, backend: Backend, new_script: Callable[[], Script], spawn: Spawn, environment: dict[str, str]
) -> None:
    moments = random.Random(7)
    scripts: list[Script] = []
    enough = asyncio.Event()

    async def calls() -> None:
        while len(scripts) < 40 or not enough.is_set():
            scripts.append(new_script().start().says(2, "hello").answers(2, "Hi.").ends())
            await publish(bus, scripts[-1])
            await asyncio.sleep(0.1)

    calling = asyncio.create_task(calls())
    for _ in range(4):
        victim = spawn(**environment)
        seen = len(backend.requests)
        # From the middle of its work, not from its start-up: imports are what takes time there.
        await backend.until(lambda b, seen=seen: len(b.requests) > seen)  # type: ignore[misc]
        await asyncio.sleep(moments.uniform(0, 0.15))
        victim.send_signal(signal.SIGKILL)
    spawn(**environment)
    enough.set()
    await calling
    await until_purged(bus, [script.sid for script in scripts], 60)
    bodies: dict[str, set[bytes]] = {}
    for request in backend.requests:
        bodies.setdefault(request.headers["idempotency-key"], set()).add(request.body)
    # Whatever was sent twice was the same, under the same key: the backend keeps one.
    assert {sid: len(some) for sid, some in bodies.items()} == {script.sid: 1 for script in scripts}
    for script in scripts:
        log = await bus.read_archive(script.sid)
        assert [s.event.kind for s in log if s.event.kind.startswith("report_")] == ["report_delivered"]
