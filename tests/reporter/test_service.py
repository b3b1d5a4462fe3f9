"""The reporter on a real bus, with a real backend."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

from voxbus.common import signing, subjects
from voxbus.common.bus import Bus, BusConfig
from voxbus.common.events import (
    RecordingEnded,
    RecordingStarted,
    ReportDelivered,
    ReportLost,
    Started,
    Status,
)
from voxbus.common.fold import fold
from voxbus.common.report import CallReport
from voxbus.reporter import core_basis, core_delivery, ledger
from voxbus.reporter.courier import Courier
from voxbus.reporter.replay import NothingToReport, replay
from voxbus.reporter.service import Reporter
from voxbus.reporter.settings import ReporterSettings

if TYPE_CHECKING:
    from tests.conftest import Script
    from tests.reporter.conftest import Backend

MakeReporter = Callable[..., Awaitable[Reporter]]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_delivery, "DELAYS_S", (0.0, 0.05, 0.1, 0.2))


@pytest.fixture
async def reporter(nats_url: str, backend: Backend) -> AsyncIterator[MakeReporter]:
    made: list[tuple[Reporter, Bus]] = []

    async def make(**settings: object) -> Reporter:
        chosen = ReporterSettings.model_validate(
            {"api_url": backend.url, "agent_shared_secret": "new,old", "report_timeout_s": 0.5, **settings}
        )
        bus = await Bus.connect(BusConfig(url=nats_url, name="reporter"))
        one = Reporter(chosen, bus)
        made.append((one, bus))
        await one.start()
        return one

    yield make
    for one, bus in made:
        await one.drain()
        await bus.close()


@pytest.fixture
async def courier(backend: Backend) -> AsyncIterator[Courier]:
    courier = Courier(backend.url, (b"new",), 1.0)
    yield courier
    await courier.close()


async def publish(bus: Bus, script: Script) -> None:
    for stored in script.log:
        await bus.append(stored.event)


async def until_reported(bus: Bus, sid: str, timeout_s: float = 30.0) -> ReportDelivered | ReportLost:
    async with asyncio.timeout(timeout_s):
        while True:
            reported = fold(await bus.read_log(sid)).reported
            if reported is not None:
                return reported
            await asyncio.sleep(0.02)


async def until_archived(bus: Bus, sid: str) -> None:
    async with asyncio.timeout(30):
        while not await bus.read_archive(sid):
            await asyncio.sleep(0.02)


async def test_a_report_arrives_signed(
    bus: Bus, reporter: MakeReporter, backend: Backend, script: Script
) -> None:
    await reporter()
    await publish(bus, script.start().says(2, "hello").answers(2, "Hi.").ends())
    verdict = await until_reported(bus, script.sid)
    assert verdict == ReportDelivered(call=script.sid, attempts=1)
    (request,) = backend.requests
    assert request.headers["idempotency-key"] == script.sid
    assert request.headers["content-type"] == "application/json"
    timestamp, signature = request.headers[signing.TIMESTAMP], request.headers[signing.SIGNATURE]
    signing.verify((b"new",), timestamp, signature, request.body, time.time())
    report = CallReport.model_validate_json(request.body)
    assert [line.text for line in report.transcript] == ["hello", "Hi."]


async def test_the_report_waits_for_the_end_of_the_recording(
    bus: Bus, reporter: MakeReporter, backend: Backend, script: Script
) -> None:
    """The gateway closes the file when it knows that the call is over."""
    script.agent = script.agent.model_copy(update={"recording": True})
    script.start().add(RecordingStarted(call=script.sid, stream_sid="MZ1", store="s", place="p"))
    await reporter()
    await publish(bus, script.ends())
    closed = RecordingEnded(
        call=script.sid, stream_sid="MZ1", store="s", place="p", length_ms=20, size_bytes=378, sha256="ab"
    )
    await bus.append(closed)
    await until_reported(bus, script.sid)
    (request,) = backend.requests
    recording = CallReport.model_validate_json(request.body).recording
    assert recording is not None
    assert (recording.state, recording.parts[0].sha256) == ("complete", "ab")


async def test_a_recording_that_nobody_closes_is_not_waited_for_long(
    bus: Bus, reporter: MakeReporter, backend: Backend, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core_basis, "PATIENCE_S", 0.3)
    script.start().add(RecordingStarted(call=script.sid, stream_sid="MZ1", store="s", place="p"))
    await reporter()
    await publish(bus, script.ends())
    await until_reported(bus, script.sid)
    (request,) = backend.requests
    recording = CallReport.model_validate_json(request.body).recording
    assert recording is not None
    assert (recording.state, recording.parts[0].place) == ("incomplete", "p")


async def test_the_log_is_archived_with_the_verdict(bus: Bus, reporter: MakeReporter, script: Script) -> None:
    await reporter()
    await publish(bus, script.start().ends())
    await until_archived(bus, script.sid)
    archived = await bus.read_archive(script.sid)
    assert archived == await bus.read_log(script.sid)
    assert isinstance(archived[-1].event, ReportDelivered)


async def test_the_log_leaves_the_stream_after_its_time_with_what_came_late(
    bus: Bus, reporter: MakeReporter, script: Script
) -> None:
    await reporter(log_keep_s=1.0)
    await publish(bus, script.start().ends())
    await until_archived(bus, script.sid)
    await bus.append(Status(call=script.sid, sequence=3, status="completed"))
    async with asyncio.timeout(30):
        while await bus.read_log(script.sid):
            await asyncio.sleep(0.05)
    kinds = [stored.event.kind for stored in await bus.read_archive(script.sid)]
    assert kinds == ["started", "attached", "ended", "report_delivered", "status"]
    info = await bus.control.jetstream().consumer_info("CALLS", "reporter")
    assert (info.num_ack_pending, info.num_pending) == (0, 0)


async def test_who_answered_is_waited_for_where_the_carrier_was_asked(
    bus: Bus, reporter: MakeReporter, backend: Backend, script: Script
) -> None:
    script.agent = script.agent.model_copy(update={"machine_detection": "hang_up"})
    await reporter()
    await publish(bus, script.start("outbound").ends())
    await bus.append(Status(call=script.sid, sequence=0, answered_by="machine_start"))
    assert isinstance(await until_reported(bus, script.sid), ReportDelivered)
    (request,) = backend.requests
    report = CallReport.model_validate_json(request.body)
    assert (report.answered_by, report.outcome) == ("machine_start", "voicemail")


@pytest.mark.parametrize("trouble", [503, 500, 302, 408, 409, 425, 429, "hang", "drop"])
async def test_trouble_is_asked_again_until_it_is_over(
    bus: Bus, reporter: MakeReporter, backend: Backend, script: Script, trouble: int | str
) -> None:
    backend.answers[:] = [trouble, trouble, 204]  # type: ignore[list-item]
    await reporter()
    await publish(bus, script.start().ends())
    assert await until_reported(bus, script.sid) == ReportDelivered(call=script.sid, attempts=3)
    bodies = {request.body for request in backend.requests}
    assert len(bodies) == 1


async def test_attempts_wait_as_the_policy_says(
    bus: Bus, reporter: MakeReporter, backend: Backend, script: Script
) -> None:
    backend.answers[:] = [500]
    await reporter()
    await publish(bus, script.start().ends())
    lost = await until_reported(bus, script.sid)
    assert lost == ReportLost(call=script.sid, attempts=4, error="HTTP 500")
    times = [request.at_s for request in backend.requests]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert [gap >= wait for gap, wait in zip(gaps, (0.05, 0.1, 0.2), strict=True)] == [True, True, True]


@pytest.mark.parametrize("refusal", [400, 401, 404, 413, 422])
async def test_a_refusal_loses_the_report_at_once(
    bus: Bus, reporter: MakeReporter, backend: Backend, script: Script, refusal: int
) -> None:
    backend.answers[:] = [refusal]
    await reporter()
    await publish(bus, script.start().ends())
    lost = await until_reported(bus, script.sid)
    assert lost == ReportLost(call=script.sid, attempts=1, error=f"HTTP {refusal}")


async def test_a_backend_that_is_not_there_loses_the_report(
    bus: Bus, reporter: MakeReporter, script: Script
) -> None:
    await reporter(api_url="http://127.0.0.1:1")
    await publish(bus, script.start().ends())
    lost = await until_reported(bus, script.sid)
    assert isinstance(lost, ReportLost)
    assert (lost.attempts, lost.error) == (4, "ConnectError")


async def test_a_lost_report_is_listed_and_can_be_replayed(
    bus: Bus, reporter: MakeReporter, backend: Backend, script: Script, courier: Courier
) -> None:
    backend.answers[:] = [503]
    await reporter(log_keep_s=0.0)
    await publish(bus, script.start().says(2, "hello").ends())
    async with asyncio.timeout(30):
        while not await bus.read_archive(script.sid) or await bus.read_log(script.sid):
            await asyncio.sleep(0.02)
    (entry,) = await ledger.lost(bus)
    assert (entry.call_sid, entry.attempts, entry.error) == (script.sid, 4, "HTTP 503")
    # The backend is still away: nothing changes.
    assert (await replay(bus, courier, script.sid)).verdict == "retry"
    assert len(await ledger.lost(bus)) == 1
    backend.answers[:] = [200]
    assert (await replay(bus, courier, script.sid)).verdict == "delivered"
    assert await ledger.lost(bus) == []
    assert fold(await bus.read_archive(script.sid)).reported == ReportDelivered(call=script.sid, attempts=1)
    assert await bus.read_log(script.sid) == []
    assert len({request.body for request in backend.requests}) == 1


async def test_a_replay_of_a_call_that_is_still_in_the_log(
    bus: Bus, reporter: MakeReporter, backend: Backend, script: Script, courier: Courier
) -> None:
    backend.answers[:] = [400]
    await reporter()
    await publish(bus, script.start().ends())
    await until_archived(bus, script.sid)
    backend.answers[:] = [200]
    assert (await replay(bus, courier, script.sid)).verdict == "delivered"
    assert await ledger.lost(bus) == []
    assert await bus.read_archive(script.sid) == await bus.read_log(script.sid)
    assert isinstance(fold(await bus.read_log(script.sid)).reported, ReportDelivered)


async def test_what_never_ended_cannot_be_replayed(bus: Bus, script: Script, courier: Courier) -> None:
    with pytest.raises(NothingToReport):
        await replay(bus, courier, script.sid)
    await publish(bus, script.start())
    with pytest.raises(NothingToReport):
        await replay(bus, courier, script.sid)


async def test_lost_never_follows_delivered(bus: Bus, sid: str) -> None:
    await ledger.note(bus, ReportDelivered(call=sid, attempts=1))
    await ledger.note(bus, ReportLost(call=sid, attempts=4, error="timeout"))
    assert [stored.event.kind for stored in await bus.read_log(sid)] == ["report_delivered"]


async def test_a_log_that_makes_no_report_is_lost_loudly_and_does_not_come_back(
    bus: Bus, reporter: MakeReporter, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> CallReport:
        raise KeyError("what somebody said")

    monkeypatch.setattr("voxbus.reporter.core_report.build", broken)
    await reporter()
    await publish(bus, script.start().ends())
    lost = await until_reported(bus, script.sid)
    assert lost == ReportLost(call=script.sid, attempts=0, error="no report: KeyError")


@pytest.mark.parametrize(
    ("missing", "named"), [("api_url", "API_URL"), ("agent_shared_secret", "AGENT_SHARED_SECRET")]
)
async def test_without_its_settings_it_archives_and_sends_nothing(
    bus: Bus, reporter: MakeReporter, backend: Backend, script: Script, missing: str, named: str
) -> None:
    await reporter(**{missing: "" if missing == "api_url" else None})
    await publish(bus, script.start().ends())
    lost = await until_reported(bus, script.sid)
    assert lost == ReportLost(call=script.sid, attempts=0, error=f"not set: {named}")
    await until_archived(bus, script.sid)
    assert [entry.call_sid for entry in await ledger.lost(bus)] == [script.sid]
    assert backend.requests == []


async def test_a_drain_hands_waiting_jobs_over_at_once(
    bus: Bus, reporter: MakeReporter, backend: Backend, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core_delivery, "DELAYS_S", (0.0, 600.0))
    backend.answers[:] = [503, 200]
    leaving = await reporter()
    await publish(bus, script.start().ends())
    await backend.until(lambda b: len(b.requests) == 1)
    await leaving.drain()
    await reporter()
    assert await until_reported(bus, script.sid) == ReportDelivered(call=script.sid, attempts=1)


async def test_many_calls_end_at_once(
    bus: Bus, reporter: MakeReporter, backend: Backend, new_script: Callable[[], Script]
) -> None:
    scripts = [new_script().start().ends() for _ in range(30)]
    await reporter()
    await reporter()
    await asyncio.gather(*(publish(bus, script) for script in scripts))
    for script in scripts:
        assert isinstance(await until_reported(bus, script.sid), ReportDelivered)
    # One of which the answer came too late on a busy machine is sent again, with the same key.
    assert {r.headers["idempotency-key"] for r in backend.requests} == {s.sid for s in scripts}


async def test_a_report_whose_acknowledgement_was_lost_is_not_sent_again(
    bus: Bus, reporter: MakeReporter, backend: Backend, script: Script
) -> None:
    await publish(bus, script.start().ends())
    await bus.append(ReportDelivered(call=script.sid, attempts=1))
    await reporter()
    await until_archived(bus, script.sid)
    assert backend.requests == []


async def test_a_purged_call_whose_acknowledgement_was_lost_is_over(
    bus: Bus, reporter: MakeReporter, backend: Backend, script: Script, agent: object
) -> None:
    await publish(bus, script.start().ends())
    log = await bus.read_log(script.sid)
    await bus.append(ReportDelivered(call=script.sid, attempts=1))
    await bus.archive(script.sid, await bus.read_log(script.sid))
    # All but the job itself is gone, as a slow replica may show it.
    await bus.control.jsm().purge_stream("CALLS", subject=subjects.events_of(script.sid, Started.kind))
    await bus.purge_log(script.sid, through=log[-2].sequence)
    await reporter()
    async with asyncio.timeout(30):
        while (await bus.control.jetstream().consumer_info("CALLS", "reporter")).num_pending:
            await asyncio.sleep(0.02)
    assert backend.requests == []


async def test_the_list_of_lost_reports_is_made_again_when_it_was_not_written(
    bus: Bus, reporter: MakeReporter, script: Script
) -> None:
    await publish(bus, script.start().ends())
    await bus.append(ReportLost(call=script.sid, attempts=4, error="timeout"))
    await reporter()
    await until_archived(bus, script.sid)
    value = await bus.lost_reports.get(script.sid)
    assert value is not None
    assert json.loads(value)["error"] == "timeout"
