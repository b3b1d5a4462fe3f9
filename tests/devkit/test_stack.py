"""Processes that are started, watched and ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from voxbus.common.agents import Agent
from voxbus.common.bus import Bus
from voxbus.common.events import Ended, ReportDelivered, Started, Stored
from voxbus.devkit.children import Child, ChildFailed
from voxbus.devkit.own_variables import own
from voxbus.devkit.stack import SERVICES, Stack

NOBODY = dict.fromkeys(SERVICES, 0)

READY = """
import json, signal, sys, time
print("starting up", file=sys.stderr)
print(json.dumps({"message": "listening", "port": 8123}), file=sys.stderr)
print(json.dumps({"message": "ready", "metrics_port": 9123}), file=sys.stderr, flush=True)
signal.pause()
"""

STUBBORN = """
import json, os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child:
    print(json.dumps({"message": "ready", "child_port": child}), file=sys.stderr, flush=True)
while True:
    signal.pause()
"""


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def variables(pid: int) -> set[str]:
    """The names of what the process was given."""
    given = Path(f"/proc/{pid}/environ").read_text()
    return {line.partition("=")[0] for line in given.split("\0")}


async def until_dead(pid: int) -> None:
    async with asyncio.timeout(30):
        while alive(pid):
            await asyncio.sleep(0.01)


class Spawner:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.lines: list[tuple[str, str]] = []
        self.children: list[Child] = []

    async def __call__(self, script: str) -> Child:
        log = self._directory / "child.log"
        child = Child(
            "stt-0", [sys.executable, "-c", script], os.environ, log, lambda *line: self.lines.append(line)
        )
        self.children.append(child)
        await child.start()
        return child


@pytest.fixture
async def spawn(tmp_path: Path) -> AsyncIterator[Spawner]:
    spawner = Spawner(tmp_path)
    yield spawner
    for child in spawner.children:
        await child.stop(0.1)


async def test_a_child_is_ready_when_it_says_so(spawn: Spawner) -> None:
    child = await spawn(READY)
    await child.ready(20)
    assert (child.port("metrics_port"), child.port("http_port"), child.status) == (9123, 8123, None)
    assert spawn.lines[0] == ("stt-0", "starting up")
    assert "starting up" in child.log.read_text()
    assert await child.stop(10) == -signal.SIGTERM


async def test_a_child_that_ends_instead_shows_its_last_words(spawn: Spawner) -> None:
    child = await spawn("import sys; sys.exit('NATS_URL is wrong')")
    with pytest.raises(ChildFailed, match=r"(?s)stt-0 ended with status 1:.*NATS_URL is wrong"):
        await child.ready(20)


async def test_a_child_that_never_gets_ready(spawn: Spawner) -> None:
    child = await spawn("import time; print('thinking', flush=True); time.sleep(60)")
    with pytest.raises(ChildFailed, match="is not ready after"):
        await child.ready(0.3)


async def test_what_does_not_stop_is_killed_with_its_own_children(spawn: Spawner) -> None:
    child = await spawn(STUBBORN)
    await child.ready(20)
    grandchild = child.port("child_port")
    assert alive(grandchild)
    assert await child.stop(0.2) == -signal.SIGKILL
    await until_dead(grandchild)


async def test_a_signal_reaches_the_process_alone(spawn: Spawner) -> None:
    child = await spawn(STUBBORN)
    await child.ready(20)
    child.signal(signal.SIGKILL)
    assert await child.wait() == -signal.SIGKILL
    assert alive(child.port("child_port"))


async def test_a_stack_brings_a_nats_server_and_takes_it_away() -> None:
    async with Stack(counts=NOBODY) as stack:
        bus = await Bus.connect(stack.bus_config("test"))
        await bus.close()
        pid, directory = stack.nats.pid, stack.directory
        assert alive(pid)
    await until_dead(pid)
    assert not directory.exists()


async def test_a_service_that_does_not_start_takes_the_stack_down(tmp_path: Path) -> None:
    stack = Stack(counts=NOBODY | {"stt": 1}, env={"LOG_LEVEL": "loud"}, directory=tmp_path)
    with pytest.raises(ChildFailed, match="stt-0 ended"):
        await stack.__aenter__()
    with pytest.raises(Exception, match="not running"):
        stack.nats.pid


def test_an_unknown_service() -> None:
    with pytest.raises(ValueError, match="no such service: sst"):
        Stack(counts={"sst": 2})


async def test_reports_go_to_the_schedulers_own_address_also_after_its_death(
    monkeypatch: pytest.MonkeyPatch, agent: Agent
) -> None:
    # Whoever runs this may have a backend, which wants no reports of tests.
    monkeypatch.setenv("API_URL", "https://backend.example")
    monkeypatch.setenv("AGENT_SHARED_SECRET", "theirs")
    async with Stack(counts=NOBODY | {"scheduler": 1, "reporter": 1}) as stack:
        url = stack.scheduler_url
        stack.kill("scheduler-0")
        await stack.restart("scheduler-0")
        assert stack.scheduler_url == url
        bus = await Bus.connect(stack.bus_config("test", "gateway"))
        sid = "CA" + "5" * 32
        reported = asyncio.Event()

        def on_event(stored: Stored) -> None:
            if isinstance(stored.event, ReportDelivered):
                reported.set()

        live = await bus.open_log(sid, on_event)
        await bus.append(Started(call=sid, stream_sid="MZ", session="", direction="inbound", agent=agent))
        await bus.append(Ended(call=sid, reason="caller_hung_up"))
        async with asyncio.timeout(30):
            await reported.wait()
        await live.close()
        await bus.close()
        authorization = {"authorization": f"Bearer {stack.secret('SCHEDULER_SECRET')}"}
        async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
            answer = await http.get(f"{url}/v1/calls", headers=authorization)
        assert answer.status_code == 200
        assert (stack.directory / "scheduler.db").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows the environment of a process")
async def test_a_service_is_given_the_settings_of_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "worth-the-whole-account")
    async with Stack(counts=NOBODY | {"reporter": 1}, env={"PHONE_TOKEN": "the-gateways"}) as stack:
        names = variables(stack.children["reporter-0"].pid)
    assert {"PATH", "NATS_URL", "AGENT_SHARED_SECRET"} <= names
    assert not names & {"TWILIO_AUTH_TOKEN", "SCHEDULER_SECRET", "INTERNAL_SECRET", "PHONE_TOKEN"}


def test_what_is_nobodys_setting_is_given_to_all() -> None:
    environment = {
        "CRM_TOKEN": "t",
        "PATH": "/bin",
        "SCHEDULER_SECRET": "s",
        "OPENAI_API_KEY": "k",
        "LOG_LEVEL": "info",
    }
    assert own("llm", environment) == {
        name: environment[name] for name in environment if name != "SCHEDULER_SECRET"
    }
    assert own("scheduler", environment).keys() == {"CRM_TOKEN", "PATH", "SCHEDULER_SECRET", "LOG_LEVEL"}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the children of a killed parent")
def test_a_parent_that_is_killed_takes_its_children_along(tmp_path: Path) -> None:
    script = f"""
import asyncio, pathlib
from voxbus.devkit.stack import SERVICES, Stack
async def main():
    none = dict.fromkeys(("gateway", "stt", "llm", "tts"), 0)
    async with Stack(counts=none, directory=pathlib.Path({str(tmp_path)!r})) as stack:
        print(stack.nats.pid, flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
    deadline = time.monotonic() + 10
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    survived = alive(pid)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    assert not survived


async def test_a_second_stack_in_one_directory_is_refused_and_the_first_keeps_what_it_has(
    tmp_path: Path,
) -> None:
    async with Stack(counts=NOBODY, directory=tmp_path) as first:
        with pytest.raises(ChildFailed, match="runs already"):
            await Stack(counts=NOBODY, directory=tmp_path).__aenter__()
        bus = await Bus.connect(first.bus_config("who asks"))
        await bus.close()
    async with Stack(counts=NOBODY, directory=tmp_path):
        pass
