"""What of a log its report is made of: all through ``ended``, and who answered, where the carrier says that late.

    ended ---- VERDICT_S ----> report        ended --> status(answered_by) --> report
                                             what comes after the report is in the log, and changes it no more

The same events at each attempt, so that each sends the same body. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from voxbus.common.events import Ended, Status, Stored
from voxbus.common.fold import fold

#: The carrier is through with its detection when the call is over, and says so in a request of its own.
VERDICT_S: Final = 3.0


def basis(log: Sequence[Stored]) -> list[Stored]:
    """``log`` has an ``ended``."""
    (end,) = (stored for stored in log if isinstance(stored.event, Ended))
    return [
        s for s in log if s.sequence <= end.sequence or (_tells_who(s) and s.time_s <= end.time_s + VERDICT_S)
    ]


def wait_s(log: Sequence[Stored], now_s: float) -> float:
    """How long the report should wait for who answered; 0 when that is known, or nobody was asked."""
    state = fold(log)
    started = state.started
    if started is None or started.direction == "inbound" or started.agent.machine_detection == "off":
        return 0.0
    return 0.0 if state.answered_by else max(0.0, state.ended_s + VERDICT_S - now_s)


def _tells_who(stored: Stored) -> bool:
    return isinstance(stored.event, Status) and bool(stored.event.answered_by)
