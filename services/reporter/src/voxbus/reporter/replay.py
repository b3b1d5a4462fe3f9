"""Delivers a report again, from the log or the archive: for a backend that was away for longer than we tried."""

from __future__ import annotations

from voxbus.common.bus import Bus
from voxbus.common.events import Ended, ReportDelivered, Stored
from voxbus.common.report import CallReport
from voxbus.reporter import core_basis, core_report
from voxbus.reporter.core_delivery import Answer
from voxbus.reporter.courier import Courier
from voxbus.reporter.ledger import index, note


class NothingToReport(Exception):
    """The call is unknown, goes on still, or is out of the archive."""


async def replay(bus: Bus, courier: Courier, sid: str) -> Answer:
    """One attempt, noted when it succeeds. A report that was delivered before may be delivered again: the backend
    keeps one. Raises NothingToReport, and BusError when the bus fails.
    """
    events, in_log = await _ended_log(bus, sid)
    answer = await courier.post(_report(events))
    if answer.verdict == "delivered":
        verdict = ReportDelivered(call=sid, attempts=1)
        await note(bus, verdict)
        stored = await bus.stored(verdict)
        if stored is not None and all(stored.sequence != one.sequence for one in events):
            events = [*events, stored]
        await bus.archive(sid, events)
        await index(bus, events)
        if not in_log:
            await bus.purge_log(sid, through=events[-1].sequence)
    return answer


async def report_of(bus: Bus, sid: str) -> CallReport:
    """The report as it was, or would have been, sent. Raises as ``replay``."""
    events, _ = await _ended_log(bus, sid)
    return _report(events)


async def _ended_log(bus: Bus, sid: str) -> tuple[list[Stored], bool]:
    """The whole log of a call that is over, and whether it is among those of the running calls still."""
    for read, in_log in ((bus.read_log, True), (bus.read_archive, False)):
        events = await read(sid)
        if any(isinstance(stored.event, Ended) for stored in events):
            return events, in_log
    raise NothingToReport("neither the log nor the archive has an ended call of this sid")


def _report(events: list[Stored]) -> CallReport:
    return core_report.build(core_basis.basis(events))
