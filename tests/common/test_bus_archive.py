"""The archive, and what leaves the stream of the running calls."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable

import pytest

from voxbus.common import subjects
from voxbus.common.agents import Agent
from voxbus.common.bus import Bus, Job, JobRunner, setup
from voxbus.common.errors import BusError, CodecError, Conflict
from voxbus.common.events import Ended, Started, Status, Stored


async def call(bus: Bus, sid: str, agent: Agent) -> list[Stored]:
    await bus.append(Started(call=sid, stream_sid="MZ", session="s", direction="inbound", agent=agent))
    await bus.append(Ended(call=sid, reason="caller_hung_up"))
    return await bus.read_log(sid)


async def test_a_log_is_archived_as_it_is(bus: Bus, sid: str, agent: Agent) -> None:
    log = await call(bus, sid, agent)
    assert await bus.read_archive(sid) == []
    await bus.archive(sid, log)
    assert await bus.read_archive(sid) == log


async def test_a_later_archive_takes_the_place_of_the_first(bus: Bus, sid: str, agent: Agent) -> None:
    log = await call(bus, sid, agent)
    await bus.archive(sid, log)
    await bus.append(Status(call=sid, sequence=3, status="completed"))
    longer = await bus.read_log(sid)
    await bus.archive(sid, longer)
    assert await bus.read_archive(sid) == longer
    info = await bus.control.jetstream().stream_info(subjects.ARCHIVE_STREAM)
    assert info.state.messages == 1


async def test_a_purge_takes_this_call_only_and_no_later_event(
    bus: Bus, new_sid: Callable[[], str], agent: Agent
) -> None:
    sid, other = new_sid(), new_sid()
    log = await call(bus, sid, agent)
    untouched = await call(bus, other, agent)
    await bus.append(Status(call=sid, sequence=3, status="completed"))
    await bus.purge_log(sid, through=log[-1].sequence)
    assert [s.event.kind for s in await bus.read_log(sid)] == ["status"]
    assert await bus.read_log(other) == untouched


async def test_an_archived_log_that_is_too_long_is_an_error_not_a_loss(
    bus: Bus, sid: str, agent: Agent
) -> None:
    log = await call(bus, sid, agent)
    # Text that hardly compresses.
    noise = agent.model_copy(update={"prompt": secrets.token_hex(1_500_000)})
    long = [Stored(1, 1.0, Started(call=sid, stream_sid="MZ", session="s", direction="inbound", agent=noise))]
    with pytest.raises(BusError, match="too long"):
        await bus.archive(sid, long)
    assert await bus.read_log(sid) == log


async def test_bytes_that_are_no_archive_are_an_error(bus: Bus, sid: str) -> None:
    await bus.control.jetstream().publish(subjects.archive(sid), b"nonsense")
    with pytest.raises(CodecError):
        await bus.read_archive(sid)


async def test_a_job_may_be_put_off(bus: Bus, sid: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "ACK_WAIT_S", 600.0)
    await setup.ensure(bus)  # no lease runs out
    seen: list[float] = []

    async def handle(job: Job) -> None:
        seen.append(time.monotonic())
        if len(seen) == 1:
            await job.hand_over(0.7)

    runner = JobRunner(bus, "reporter", handle, capacity=1, on_failure=lambda _, error: seen.append(-1.0))
    await runner.start()
    await bus.append(Ended(call=sid, reason="error"))
    async with asyncio.timeout(30):
        while len(seen) < 2:
            await asyncio.sleep(0.01)
    await runner.drain()
    assert seen[1] - seen[0] > 0.6


async def test_the_keys_of_a_bucket(bus: Bus) -> None:
    assert await bus.lost_reports.keys() == []
    await bus.lost_reports.put("a", b"1")
    await bus.lost_reports.put("b", b"2")
    await bus.lost_reports.delete("a")
    assert await bus.lost_reports.keys() == ["b"]
    await bus.lost_reports.delete("b")
    assert await bus.lost_reports.keys() == []


async def test_a_purged_subject_is_free_again(bus: Bus, sid: str, agent: Agent) -> None:
    log = await call(bus, sid, agent)
    with pytest.raises(Conflict):
        await bus.append(Ended(call=sid, reason="error"))
    await bus.purge_log(sid, through=log[-1].sequence)
    await bus.append(Ended(call=sid, reason="error"))
