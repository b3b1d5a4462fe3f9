"""``ended`` in, a delivered report and an archived log out.

    ended -> (who answered) -> deliver -> report_delivered | report_lost -> archive -> (an hour) -> archive again, purge

Each step is decided from the log alone and may be done twice without harm, so a reporter may die between any two: the
job comes back, and its next holder does what the log does not show yet. What is waited for, is waited for by the bus.
"""

from __future__ import annotations

import asyncio
import time

from voxbus.common import logs, telemetry
from voxbus.common.bus import Bus, Job, JobRunner
from voxbus.common.errors import LogIncomplete, VoxbusError
from voxbus.common.events import ReportDelivered, ReportLost, Stored
from voxbus.common.fold import CallState, fold
from voxbus.common.outcome import outcome_of
from voxbus.reporter import core_basis, core_report
from voxbus.reporter.core_delivery import Answer, delay_before
from voxbus.reporter.courier import Courier
from voxbus.reporter.ledger import index, note
from voxbus.reporter.settings import ReporterSettings

#: A job that failed on our side is not thrown at the next reporter at once.
_RETRY_S = 5.0
#: Beside an attempt: reading and writing the log.
_MARGIN_S = 5.0

log = logs.get_logger(__name__)

_CALLS = telemetry.counter("reporter_calls", "Calls that ended, by outcome and by why.", "outcome", "reason")
_FAILED = telemetry.counter("reporter_job_failures", "Jobs that came back because of an error.", "code")


class Reporter:
    def __init__(self, settings: ReporterSettings, bus: Bus) -> None:
        self._settings = settings
        self._bus = bus
        self._missing = settings.missing_for_delivery()
        self._courier = (
            None if self._missing else Courier(settings.api_url, settings.secrets, settings.report_timeout_s)
        )
        self._runner = JobRunner(
            bus, "reporter", self._handle, capacity=settings.report_concurrency, on_failure=self._on_failure
        )

    async def start(self) -> None:
        if self._missing:
            log.warning("no report can be delivered; calls are archived", not_set=self._missing)
        await self._runner.start()

    async def drain(self) -> None:
        await self._runner.drain(self._settings.drain_seconds)
        if self._courier is not None:
            await self._courier.close()

    def _on_failure(self, job: Job, error: Exception) -> None:
        # Not even handing the job over worked.
        log.error("report job failed", call_sid=job.event.call, error=error)

    async def _handle(self, job: Job) -> None:
        try:
            await self._report(job)
        except VoxbusError as error:
            _FAILED.labels(error.code).inc()
            log.error("report job comes back", call_sid=job.event.call, error=error)
            await job.hand_over(_RETRY_S)
        except Exception:  # raised further, the job would come back at once, and again and again
            _FAILED.labels("internal").inc()
            log.exception("report job comes back", call_sid=job.event.call)
            await job.hand_over(_RETRY_S)

    async def _report(self, job: Job) -> None:
        sid = job.event.call
        job.progress(_MARGIN_S)
        events = await self._bus.read_log(sid)
        if not any(stored.sequence == job.stored.sequence for stored in events):
            if fold(await self._bus.read_archive(sid)).reported is None:
                raise LogIncomplete("the log does not show the end of the call yet")
            return  # purged, and the acknowledgement of the job was lost
        if fold(events).reported is None:
            wait_s = core_basis.wait_s(events, time.time())
            if wait_s > 0:
                await job.hand_over(wait_s)
                return
            verdict = await self._deliver(job, core_basis.basis(events))
            if verdict is None:
                await job.hand_over()
                return
            if await note(self._bus, verdict):
                _count(fold(events))
            events = await self._bus.read_log(sid)
        job.progress(_MARGIN_S)
        await index(self._bus, events)
        await self._bus.archive(sid, events)
        age_s = time.time() - job.stored.time_s
        if age_s < self._settings.log_keep_s:
            await job.hand_over(self._settings.log_keep_s - age_s)
            return
        await self._bus.purge_log(sid, through=events[-1].sequence)
        log.info("log archived and purged", call_sid=sid, events=len(events))

    async def _deliver(self, job: Job, events: list[Stored]) -> ReportDelivered | ReportLost | None:
        """The verdict, or None when we have to stop before there is one."""
        sid = job.event.call
        if self._courier is None:
            return ReportLost(call=sid, attempts=0, error=f"not set: {self._missing}")
        try:
            report = core_report.build(events)
        except Exception as error:  # a log that we cannot tell would come back for ever
            log.exception("REPORT LOST: the log makes no report", call_sid=sid)
            return ReportLost(call=sid, attempts=0, error=f"no report: {type(error).__name__}")
        answer = Answer()
        attempt = 0
        while (delay_s := delay_before(attempt + 1)) is not None:
            attempt += 1
            job.progress(delay_s + self._settings.report_timeout_s + _MARGIN_S)
            if await _stopped(job, delay_s):
                return None
            answer = await self._courier.post(report)
            if answer.verdict == "delivered":
                log.info("report delivered", call_sid=sid, attempts=attempt, outcome=report.outcome)
                return ReportDelivered(call=sid, attempts=attempt)
            log.warning("report not delivered", call_sid=sid, attempt=attempt, answer=str(answer))
            if answer.verdict == "final":
                break
        log.error(
            "REPORT LOST; `voxbus reports replay` delivers it later",
            call_sid=sid,
            attempts=attempt,
            answer=str(answer),
        )
        return ReportLost(call=sid, attempts=attempt, error=str(answer))


def _count(state: CallState) -> None:
    assert state.ended is not None
    _CALLS.labels(outcome_of(state), state.ended.reason).inc()


async def _stopped(job: Job, delay_s: float) -> bool:
    """Waits; True as soon as this process should let go of its jobs."""
    if job.draining.is_set() or delay_s == 0:
        return job.draining.is_set()
    try:
        await asyncio.wait_for(job.draining.wait(), delay_s)
    except TimeoutError:
        return False
    return True


def build(settings: ReporterSettings, bus: Bus) -> Reporter:
    return Reporter(settings, bus)
