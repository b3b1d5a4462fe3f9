"""What became of each report: events in the call's log, and a list of the lost ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from voxbus.common import subjects, telemetry
from voxbus.common.bus import Bus, Condition
from voxbus.common.errors import ConditionFailed, Conflict
from voxbus.common.events import ReportDelivered, ReportLost, Stored
from voxbus.common.fold import fold

_REPORTS = telemetry.counter("reporter_reports", "Calls by what became of their report.", "result")


@dataclass(frozen=True)
class Lost:
    """A report that was given up. ``at_s``: Unix time."""

    call_sid: str
    attempts: int
    error: str
    at_s: float


async def note(bus: Bus, verdict: ReportDelivered | ReportLost) -> bool:
    """Writes the verdict into the log. ``delivered`` may follow ``lost``, never the other way round.

    False when a reporter that was thought dead was first.
    """
    delivered = subjects.events_of(verdict.call, ReportDelivered.kind)
    try:
        await bus.append(verdict, only_if=Condition(delivered, 0))
    except (Conflict, ConditionFailed):
        return False
    _REPORTS.labels(verdict.kind).inc()
    return True


async def index(bus: Bus, log: Sequence[Stored]) -> None:
    """Brings the list of lost reports in line with the log, so that nobody reads every archived call for it."""
    reported = fold(log).reported
    if isinstance(reported, ReportLost):
        entry = {"attempts": reported.attempts, "error": reported.error, "at_s": log[-1].time_s}
        await bus.lost_reports.put(reported.call, json.dumps(entry).encode())
    elif any(isinstance(stored.event, ReportLost) for stored in log):
        await bus.lost_reports.delete(log[0].event.call)


async def lost(bus: Bus) -> list[Lost]:
    """The lost reports, the oldest first."""
    found = []
    for sid in await bus.lost_reports.keys():
        entry = await bus.lost_reports.get(sid)
        if entry is not None:  # delivered since the keys were read
            found.append(Lost(sid, **json.loads(entry)))
    return sorted(found, key=lambda one: one.at_s)
