"""Children of a worker: messages over pipes, one that dies has a successor, and when."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.common.echo_child import WIRE, Message, Said, Say

from voxbus.common.children.crew import Crew
from voxbus.common.children.process import ChildProcess
from voxbus.common.children.restarts import Restarts
from voxbus.common.errors import ProviderError

LONG = "x" * 1_000_000


class Echo(ChildProcess[Message]):
    @classmethod
    async def start(cls) -> Echo:
        process, hello = await cls.begin("echo_child", WIRE, 60)
        assert hello == Said("hello", process.pid)
        return process

    async def say(self, text: str) -> Message:
        self.send(Say(text))
        return await self.next(60)


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


@pytest.fixture
async def ready() -> asyncio.Queue[Echo]:
    return asyncio.Queue()


@pytest.fixture
async def crew(ready: asyncio.Queue[Echo]) -> AsyncIterator[Crew[Echo]]:
    crew = Crew(2, Echo.start, ready.put_nowait)
    await crew.start()
    yield crew
    await crew.close()


async def test_messages_of_any_length_come_and_go(crew: Crew[Echo], ready: asyncio.Queue[Echo]) -> None:
    process = ready.get_nowait()
    assert await process.say(LONG) == Said(LONG, process.pid)
    assert await process.say("") == Said("", process.pid)


async def test_one_that_dies_has_a_successor(crew: Crew[Echo], ready: asyncio.Queue[Echo]) -> None:
    one, other = ready.get_nowait(), ready.get_nowait()
    with pytest.raises(ProviderError) as failed:
        await one.say("die")
    assert failed.value.cause == "crashed"
    assert not one.alive
    crew.replace(one)
    async with asyncio.timeout(60):
        successor = await ready.get()
    assert crew.processes == {other, successor}
    assert await successor.say("hi") == Said("hi", successor.pid)


async def test_one_that_was_killed_is_not_alive_although_nobody_saw_it_end(
    ready: asyncio.Queue[Echo],
) -> None:
    process = await Echo.start()
    os.kill(process.pid, signal.SIGSTOP)
    process.send(Say("hi"))
    with pytest.raises(ProviderError) as failed:
        await process.next(0.05)
    assert failed.value.cause == "stalled"
    assert not process.alive
    await process.close()


async def test_nobody_is_left_when_one_does_not_come_up(
    monkeypatch: pytest.MonkeyPatch, ready: asyncio.Queue[Echo]
) -> None:
    started: list[Echo] = []

    async def start() -> Echo:
        if started:
            monkeypatch.setenv("TMPDIR", "nowhere")
            return await Echo.start()
        started.append(process := await Echo.start())
        second_may_start.set()
        return process

    async def start_in_turn() -> Echo:
        if turns.pop():
            await second_may_start.wait()
        return await start()

    turns, second_may_start = [True, False], asyncio.Event()
    crew = Crew(2, start_in_turn, ready.put_nowait)
    with pytest.raises(ProviderError, match="echo_child does not start: the process died"):
        await crew.start()
    assert (crew.processes, ready.empty(), started[0].alive) == (set(), True, False)


async def test_what_is_over_is_not_replaced(crew: Crew[Echo], ready: asyncio.Queue[Echo]) -> None:
    process = ready.get_nowait()
    await crew.close()
    crew.replace(process)
    await asyncio.sleep(0)
    assert crew.processes == set()
    assert not process.alive


def test_processes_that_die_early_are_started_ever_later() -> None:
    restarts = Restarts()
    waits = []
    for _ in range(7):
        restarts.died(0.3)
        waits.append(restarts.wait_s)
    assert waits == [0, 0.2, 0.5, 1, 2, 5, 5]


def test_one_that_lived_begins_anew() -> None:
    restarts = Restarts()
    for _ in range(4):
        restarts.died(0)
    restarts.died(3600)
    assert restarts.wait_s == 0
    restarts.died(1)
    restarts.died(1)
    assert restarts.wait_s == 0.2
