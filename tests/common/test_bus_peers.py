"""Workers that look after each other, in processes of their own that die as processes do."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgpack
import pytest
from nats.aio.msg import Msg
from prometheus_client import REGISTRY

from voxbus.common import subjects
from voxbus.common.agents import Agent
from voxbus.common.bus import Bus, BusConfig, Job, JobRunner, Peers
from voxbus.common.events import Started

CALLS = 5


class Worker:
    """Holds every job it gets. Those that came last are put back first."""

    def __init__(self, bus: Bus, capacity: int = 20) -> None:
        self.bus = bus
        self.jobs: list[Job] = []
        self.runner = JobRunner(
            bus, "stt", self._hold, capacity=capacity, at_once=8, on_failure=lambda *_: None
        )
        self.peers = Peers(bus, "stt", lambda: [job.lease for job in reversed(self.jobs)])

    async def _hold(self, job: Job) -> None:
        self.jobs.append(job)
        while not job.draining.is_set():
            job.progress()
            await asyncio.sleep(0.02)
        await job.hand_over()

    async def start(self) -> None:
        await self.peers.start()
        await self.runner.start()

    async def drain(self) -> None:
        await self.peers.leave()
        await self.runner.drain(1)

    async def wait_for(self, calls: int) -> list[str]:
        async with asyncio.timeout(30):
            while len(self.jobs) < calls:
                await asyncio.sleep(0.01)
        return [job.event.call for job in self.jobs]


async def another(url: str) -> None:
    """The other process: says whenever it has one more job; drains on SIGTERM."""
    worker = Worker(await Bus.connect(BusConfig(url=url)))
    term = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, term.set)
    await worker.start()
    for held in range(1, CALLS + 1):
        sys.stdout.write(" ".join(await worker.wait_for(held)) + "\n")
        sys.stdout.flush()
    await term.wait()
    await worker.drain()
    await worker.bus.close()


if __name__ == "__main__":
    asyncio.run(another(sys.argv[1]))


class Other:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def holds(self, calls: int) -> list[str]:
        assert self.process.stdout is not None
        async with asyncio.timeout(30):
            while len(held := (await self.process.stdout.readline()).decode().split()) < calls:
                pass
        return held


@asynccontextmanager
async def other(url: str) -> AsyncIterator[Other]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, url, stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
    )
    yield Other(process)
    if process.returncode is None:
        process.kill()
    await process.wait()


@pytest.fixture
async def worker(nats_url: str) -> AsyncIterator[Worker]:
    worker = Worker(await Bus.connect(BusConfig(url=nats_url)))
    yield worker
    await worker.drain()
    await worker.bus.close()


def put_back() -> float:
    return REGISTRY.get_sample_value("voxbus_jobs_put_back_total") or 0.0


async def known(worker: Worker, held: int) -> None:
    """Until ``worker`` has heard what the other one holds."""
    async with asyncio.timeout(30):
        while len(worker.peers._held) < held:
            await asyncio.sleep(0.01)


Calls = Callable[[], Awaitable[list[str]]]


@pytest.fixture
def calls(bus: Bus, new_sid: Callable[[], str], agent: Agent) -> Calls:
    async def begin() -> list[str]:
        sids = [new_sid() for _ in range(CALLS)]
        for sid in sids:
            await bus.append(Started(call=sid, stream_sid="M", session="s", direction="inbound", agent=agent))
        return sids

    return begin


async def test_what_a_dead_worker_held_is_put_back_in_the_order_it_wished(
    nats_url: str, bus: Bus, worker: Worker, calls: Calls
) -> None:
    before = put_back()
    gone: list[str] = []

    async def hear(message: Msg) -> None:
        name, there = msgpack.unpackb(message.data)
        gone.extend(() if there else [name])

    await bus.control.subscribe(subjects.peers("stt"), cb=hear)
    async with other(nats_url) as doomed:
        sids = await calls()
        held = await doomed.holds(CALLS)
        assert sorted(held) == sorted(sids)
        await worker.start()
        await known(worker, CALLS)
        names = set(worker.peers._others)
        doomed.process.kill()
        assert await worker.wait_for(CALLS) == held[::-1]
        assert set(gone) == names, "whoever else knew it need not look for it"
    assert put_back() - before == CALLS


async def test_what_a_frozen_worker_holds_is_not_put_back(
    nats_url: str, worker: Worker, calls: Calls
) -> None:
    before = put_back()
    async with other(nats_url) as frozen:
        await calls()
        await frozen.holds(CALLS)
        await worker.start()
        await known(worker, CALLS)
        frozen.process.send_signal(signal.SIGSTOP)
        await worker.wait_for(CALLS)  # its leases have run out
        assert put_back() == before


async def test_who_drains_leaves_nothing_to_be_put_back(nats_url: str, worker: Worker, calls: Calls) -> None:
    before = put_back()
    async with other(nats_url) as leaving:
        await calls()
        await leaving.holds(CALLS)
        await worker.start()
        await known(worker, CALLS)
        leaving.process.terminate()
        await worker.wait_for(CALLS)
        await leaving.process.wait()
        assert not worker.peers._others
    assert put_back() == before


async def test_nobody_is_gone_because_the_server_was(nats_url: str, worker: Worker, calls: Calls) -> None:
    async with other(nats_url) as living:
        await calls()
        await living.holds(CALLS)
        await worker.start()
        await known(worker, CALLS)
        worker.peers._forget()  # as after a reconnection, which our neighbour may not have made yet
        assert not worker.peers._held
        await known(worker, CALLS)
