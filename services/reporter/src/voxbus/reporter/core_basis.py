"""What of a log its report is made of: all through ``ended``, and what is always told later than that.

    ended ---- PATIENCE_S ----> report       ended --> status(answered_by), recording_ended --> report
                                             what comes after the report is in the log, and changes it no more

The carrier says who answered when the call is over. A gateway closes its file then. The same events at each attempt, so
that each sends the same body. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from voxbus.common.events import Ended, RecordingEnded, RecordingStarted, Status, Stored
from voxbus.common.fold import CallState, fold

#: The carrier is through with its detection when the call is over, and says so in a request of its own. A gateway that
#: needs so long to close a file has a disk in trouble, or is dead.
PATIENCE_S: Final = 3.0
#: A file is closed within a moment as a rule: so soon it is looked again.
_LOOK_S: Final = 0.2


def basis(log: Sequence[Stored]) -> list[Stored]:
    """``log`` has an ``ended``."""
    (end,) = (stored for stored in log if isinstance(stored.event, Ended))
    return [
        s
        for s in log
        if s.sequence <= end.sequence or (_comes_late(s) and s.time_s <= end.time_s + PATIENCE_S)
    ]


def wait_s(log: Sequence[Stored], now_s: float) -> float:
    """In how long the log is to be looked at again; 0 when all is known, or waiting is over."""
    state = fold(log)
    left_s = max(0.0, state.ended_s + PATIENCE_S - now_s)
    if _has_open_recording(state):
        return min(left_s, _LOOK_S)
    return left_s if _asks_who(state) and not state.answered_by else 0.0


def _has_open_recording(state: CallState) -> bool:
    """Also one of which the log has nothing yet: its file is still to be made."""
    recorded = state.started is not None and state.started.agent.recording and state.notified
    parts = state.recordings.values()
    return any(part.ended is None for part in parts) if parts else recorded


def _asks_who(state: CallState) -> bool:
    started = state.started
    return (
        started is not None and started.direction == "outbound" and started.agent.machine_detection != "off"
    )


def _comes_late(stored: Stored) -> bool:
    event = stored.event
    if isinstance(event, Status):
        return bool(event.answered_by)
    return isinstance(event, RecordingStarted | RecordingEnded)
