"""Delivers a report again, from the log or the archive: for a backend that was away for longer than we tried."""

from __future__ import annotations

from voxbus.common.bus import Bus
from voxbus.common.events import Ended, ReportDelivered, Stored
from voxbus.reporter import core_report
from voxbus.reporter.core_delivery import Answer
from voxbus.reporter.courier import Courier
from voxbus.reporter.ledger import index, note


class NothingToReport(Exception):
    """The call is unknown, goes on still, or is out of the archive."""


async def replay(bus: Bus, courier: Courier, sid: str) -> Answer:
    """One attempt, noted when it succeeds. A report that was delivered before may be delivered again: the backend
    keeps one. Raises NothingToReport, and BusError when the bus fails.
    """
    events = await bus.read_log(sid)
    in_log = _end(events) is not None
    if not in_log:
        events = await bus.read_archive(sid)
    end = _end(events)
    if end is None:
        raise NothingToReport("neither the log nor the archive has an ended call of this sid")
    answer = await courier.post(core_report.build([s for s in events if s.sequence <= end.sequence]))
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


def _end(events: list[Stored]) -> Stored | None:
    return next((stored for stored in events if isinstance(stored.event, Ended)), None)
