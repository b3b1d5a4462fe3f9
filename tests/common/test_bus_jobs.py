"""Jobs against a real server: leases, adoption, hand-over, drain."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import pytest
from prometheus_client import REGISTRY

from voxbus.common import subjects
from voxbus.common.agents import Agent
from voxbus.common.bus import Bus, BusConfig, Job, JobRunner, jobs, setup
from voxbus.common.bus.setup import ACK_WAIT_S
from voxbus.common.events import Started

if TYPE_CHECKING:
    from voxbus.devkit.nats_server import NatsServer


async def until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


def value(name: str, labels: dict[str, str] | None = None) -> float:
    """Of a metric of this process."""
    return REGISTRY.get_sample_value(name, labels or {}) or 0.0


class Worker:
    """A runner on a connection of its own whose handler does what the test says."""

    def __init__(
        self, bus: Bus, capacity: int = 4, *, hold: bool = False, at_once: int = 1, settle_s: float = 0.0
    ) -> None:
        self.bus = bus
        self.jobs: list[Job] = []
        self.failures: list[Exception] = []
        self.release = asyncio.Event()
        self.beating = True
        if not hold:
            self.release.set()
        self.fail_with: Exception | None = None
        self.runner = JobRunner(
            bus,
            "stt",
            self.handle,
            capacity=capacity,
            on_failure=lambda _, e: self.failures.append(e),
            at_once=at_once,
            settle_s=settle_s,
        )

    async def handle(self, job: Job) -> None:
        self.jobs.append(job)
        if self.fail_with is not None:
            raise self.fail_with
        while not self.release.is_set() and not job.draining.is_set():
            if self.beating:
                job.progress()
            await asyncio.sleep(0.02)
        if job.draining.is_set() and not self.release.is_set():
            await job.hand_over()


class MakeWorker(Protocol):
    async def __call__(
        self, capacity: int = 4, *, hold: bool = False, at_once: int = 1, settle_s: float = 0.0
    ) -> Worker: ...


NewSid = Callable[[], str]


@pytest.fixture
async def worker(nats_url: str) -> AsyncIterator[MakeWorker]:
    workers: list[Worker] = []

    async def make(
        capacity: int = 4, *, hold: bool = False, at_once: int = 1, settle_s: float = 0.0
    ) -> Worker:
        bus = await Bus.connect(BusConfig(url=nats_url))
        worker = Worker(bus, capacity, hold=hold, at_once=at_once, settle_s=settle_s)
        workers.append(worker)
        await worker.runner.start()
        return worker

    yield make
    for one in workers:
        one.release.set()
        await one.runner.drain(1)
        await one.bus.close()


async def start_call(bus: Bus, sid: str, agent: Agent) -> None:
    await bus.append(Started(call=sid, stream_sid="MZ", session="s", direction="inbound", agent=agent))


async def unacked(bus: Bus) -> int:
    info = await bus.control.jetstream().consumer_info("CALLS", "stt")
    return int(info.num_ack_pending or 0) + int(info.num_pending or 0)


async def until_acknowledged(bus: Bus) -> None:
    async with asyncio.timeout(30):  # the last acknowledgements are still on their way
        while await unacked(bus):
            await asyncio.sleep(0.01)


async def test_a_job_that_stands_by_takes_no_room(
    bus: Bus, worker: MakeWorker, new_sid: NewSid, agent: Agent
) -> None:
    one = await worker(capacity=1, hold=True)
    await start_call(bus, new_sid(), agent)
    await until(lambda: len(one.jobs) == 1)
    with one.jobs[0].standing_by():
        await start_call(bus, new_sid(), agent)
        await until(lambda: len(one.jobs) == 2)
    await start_call(bus, new_sid(), agent)
    await asyncio.sleep(0.3)  # no room: both are held
    assert len(one.jobs) == 2
    one.release.set()
    await until(lambda: len(one.jobs) == 3)


async def test_each_job_is_done_once_by_one_of_two(
    bus: Bus, worker: MakeWorker, new_sid: NewSid, agent: Agent
) -> None:
    one, two = await worker(), await worker()
    for _ in range(20):
        await start_call(bus, new_sid(), agent)
    await until(lambda: len(one.jobs) + len(two.jobs) == 20)
    done = {job.event.call for job in one.jobs + two.jobs}
    assert len(done) == 20
    await until_acknowledged(bus)


async def test_a_worker_takes_no_more_than_its_capacity(
    bus: Bus, worker: MakeWorker, new_sid: NewSid, agent: Agent
) -> None:
    small = await worker(2, hold=True)
    for _ in range(3):
        await start_call(bus, new_sid(), agent)
    await until(lambda: len(small.jobs) == 2)
    other = await worker(4, hold=True)
    await until(lambda: len(other.jobs) == 1)
    assert len(small.jobs) == 2


async def test_what_waits_what_is_held_and_what_came_is_counted(
    bus: Bus, worker: MakeWorker, new_sid: NewSid, agent: Agent
) -> None:
    came = ("voxbus_jobs_delivered_total", {"delivery": "first"})
    in_hand, before, waited = value("voxbus_jobs_in_hand"), value(*came), value("voxbus_job_wait_ms_count")
    for _ in range(5):
        await start_call(bus, new_sid(), agent)
    small = await worker(2, hold=True)
    assert value("voxbus_jobs_capacity") == 2
    await until(lambda: len(small.jobs) == 2)
    await until(lambda: value("voxbus_jobs_waiting") == 3)
    assert value("voxbus_jobs_in_hand") - in_hand == 2
    assert value(*came) - before == value("voxbus_job_wait_ms_count") - waited == 2
    small.release.set()
    await until(lambda: len(small.jobs) == 5 and not small.runner.jobs)
    assert value("voxbus_jobs_waiting") == 0
    assert value("voxbus_jobs_in_hand") == in_hand


async def test_nothing_waits_when_a_pull_comes_back_empty(bus: Bus, worker: MakeWorker) -> None:
    await worker()
    jobs._WAITING.set(7)
    await until(lambda: value("voxbus_jobs_waiting") == 0)


async def test_progress_keeps_the_lease(bus: Bus, worker: MakeWorker, sid: str, agent: Agent) -> None:
    holder = await worker(hold=True)
    other = await worker(hold=True)
    await start_call(bus, sid, agent)
    await until(lambda: len(holder.jobs) + len(other.jobs) == 1)
    await asyncio.sleep(2.5 * ACK_WAIT_S)
    assert len(holder.jobs) + len(other.jobs) == 1


async def test_a_handler_without_progress_loses_its_job_to_another(
    bus: Bus, worker: MakeWorker, sid: str, agent: Agent
) -> None:
    stuck = await worker(1, hold=True)
    stuck.beating = False
    await start_call(bus, sid, agent)
    await until(lambda: len(stuck.jobs) == 1)
    again = value("voxbus_jobs_delivered_total", {"delivery": "again"})
    healthy = await worker(hold=True)
    await until(lambda: len(healthy.jobs) == 1)
    assert healthy.jobs[0].redelivered
    assert value("voxbus_jobs_delivered_total", {"delivery": "again"}) == again + 1
    # What the old holder says now is not said: the job is not ended under the new one.
    await stuck.jobs[0].done()
    assert stuck.jobs[0].lapsed
    await asyncio.sleep(0.1)
    assert await unacked(bus) == 1


async def test_a_job_that_comes_back_to_its_holder_is_adopted(
    bus: Bus, worker: MakeWorker, sid: str, agent: Agent
) -> None:
    alone = await worker(4, hold=True)
    alone.beating = False
    await start_call(bus, sid, agent)
    await until(lambda: alone.runner.adopted == 1)
    assert len(alone.jobs) == 1
    assert not alone.jobs[0].lapsed
    alone.release.set()
    await until(lambda: not alone.runner.jobs)
    await until_acknowledged(bus)


@pytest.fixture
async def leases_are_long(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """None runs out within a test: whatever comes to another worker was handed over."""
    monkeypatch.setattr(setup, "ACK_WAIT_S", 600.0)
    await setup.ensure(bus)


@pytest.mark.usefixtures("leases_are_long")
async def test_drain_hands_over_within_a_moment(
    bus: Bus, worker: MakeWorker, new_sid: NewSid, agent: Agent
) -> None:
    leaving = await worker(20, hold=True)
    for _ in range(20):
        await start_call(bus, new_sid(), agent)
    await until(lambda: len(leaving.jobs) == 20)
    staying = await worker(20, hold=True)
    await leaving.runner.drain()
    await until(lambda: len(staying.jobs) == 20)


@pytest.mark.usefixtures("leases_are_long")
async def test_jobs_that_arrive_during_the_drain_are_handed_back(
    bus: Bus, worker: MakeWorker, new_sid: NewSid, agent: Agent
) -> None:
    leaving, staying = await worker(50), await worker(50)
    sids = [new_sid() for _ in range(60)]
    calling = asyncio.gather(*(start_call(bus, sid, agent) for sid in sids))
    await until(lambda: len(leaving.jobs) > 3)
    await leaving.runner.drain()
    await calling
    await until(lambda: len(leaving.jobs) + len(staying.jobs) == 60)
    assert {j.event.call for j in leaving.jobs + staying.jobs} == set(sids)


async def test_a_failing_handler_hands_its_job_over_visibly(
    bus: Bus, worker: MakeWorker, sid: str, agent: Agent
) -> None:
    failing = await worker()
    failing.fail_with = RuntimeError("boom")
    await start_call(bus, sid, agent)
    await until(lambda: len(failing.failures) >= 2)
    failing.fail_with = None
    await until(lambda: not failing.runner.jobs)


async def test_a_job_that_fails_again_and_again_comes_back_ever_later(
    bus: Bus, worker: MakeWorker, sid: str, agent: Agent
) -> None:
    failing = await worker()
    failing.fail_with = RuntimeError("as always")
    tried_s: list[float] = []
    await start_call(bus, sid, agent)
    for tries in range(1, 6):
        await until(lambda tries=tries: len(failing.failures) >= tries)  # type: ignore[misc]
        tried_s.append(time.monotonic())
    assert len(failing.failures) == 5
    gaps_s = [after - before for before, after in pairwise(tried_s)]
    # At once for the first time, which may have been an accident.
    for gap_s, least_s in zip(gaps_s[1:], (0.2, 0.4, 0.8), strict=True):
        assert gap_s > least_s


async def test_an_unknown_version_waits_for_a_worker_that_knows_it(
    bus: Bus, worker: MakeWorker, sid: str
) -> None:
    ready = await worker()
    subject = subjects.event(sid, "started", "0")
    await bus.control.jetstream().publish(subject, b"\x81\xa1v\x63")  # {"v": 99}
    await asyncio.sleep(0.3)
    assert ready.jobs == []
    assert await unacked(bus) == 1


async def test_an_undecodable_job_is_ended(bus: Bus, worker: MakeWorker, sid: str) -> None:
    ready = await worker()
    await bus.control.jetstream().publish(subjects.event(sid, "started", "0"), b"\xc1")
    await until_acknowledged(bus)
    assert ready.jobs == []


async def test_jobs_come_through_a_restart_of_the_server(
    nats_server: NatsServer, bus: Bus, worker: MakeWorker, new_sid: NewSid, agent: Agent
) -> None:
    holder = await worker(hold=True)
    first, second = new_sid(), new_sid()
    await start_call(bus, first, agent)
    await until(lambda: len(holder.jobs) == 1)
    nats_server.stop()
    nats_server.start()
    await start_call(bus, second, agent)
    await until(lambda: len(holder.jobs) == 2, 30)
    assert [j.event.call for j in holder.jobs] == [first, second]


async def test_many_are_asked_for_at_once_and_no_more_than_there_is_room_for(
    bus: Bus, worker: MakeWorker, new_sid: NewSid, agent: Agent
) -> None:
    for _ in range(9):
        await start_call(bus, new_sid(), agent)
    greedy = await worker(6, hold=True, at_once=4)
    await until(lambda: len(greedy.jobs) == 6)
    other = await worker(6, hold=True, at_once=4)
    await until(lambda: len(other.jobs) == 3)
    assert len(greedy.jobs) == 6
    greedy.release.set()
    await until(lambda: not greedy.runner.jobs)
    await start_call(bus, new_sid(), agent)
    await until(lambda: len(greedy.jobs) + len(other.jobs) == 10)


async def test_after_a_reconnection_nobody_asks_for_jobs_before_those_who_hold_some_are_back(
    bus: Bus, worker: MakeWorker, sid: str, agent: Agent
) -> None:
    late = await worker(settle_s=3.0)
    back_s = time.monotonic()
    late.runner._pull_again()
    await asyncio.sleep(1.5)  # what it asked for before has come back empty
    await start_call(bus, sid, agent)
    await until(lambda: len(late.jobs) == 1)
    assert time.monotonic() - back_s >= 3.0


async def test_what_was_asked_for_over_a_lost_connection_is_put_off(
    bus: Bus, worker: MakeWorker, sid: str, agent: Agent
) -> None:
    late = await worker(settle_s=1.0)
    await until(lambda: late.runner._coming == 1)
    late.bus.control.stats["reconnects"] += (
        1  # that pull was written into the connection before, and sent by this one
    )
    began_s = time.monotonic()
    await start_call(bus, sid, agent)
    await until(lambda: len(late.jobs) == 1)
    assert late.jobs[0].redelivered
    assert time.monotonic() - began_s >= 1.0


async def test_workers_say_how_much_room_they_have(
    bus: Bus, worker: MakeWorker, agent: Agent, sid: str
) -> None:
    one, two = await worker(3, hold=True), await worker(4)

    async def room() -> list[int]:
        return sorted([int(said) async for said in bus.ask_all(subjects.capacity("stt"), b"", 0.3)])

    async def until_room(expected: list[int]) -> None:
        async with asyncio.timeout(30):  # an answer of a busy machine may be late
            while await room() != expected:
                pass

    await until_room([3, 4])
    await two.runner.drain()
    await until_room([3])
    await bus.append(Started(call=sid, stream_sid="MZ", session="", direction="inbound", agent=agent))
    await until(lambda: len(one.jobs) == 1)
    await until_room([2])
    assert [said async for said in bus.ask_all(subjects.capacity("llm"), b"", 0.3)] == []
