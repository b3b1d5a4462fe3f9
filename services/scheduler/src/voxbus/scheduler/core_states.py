"""The life of a call that we place, as a table. Pure.

queued -> claimed -> dialling -> placed -> ringing -> in_progress -> completed | transferred | voicemail
   ^         |          |  |                                         no_answer | busy | canceled | failed
   +---------+----------+  +-> unconfirmed -> unknown

- ``claimed``: one scheduler has it; nothing was sent yet, so a claim that runs out goes back to the queue.
- ``dialling``: written BEFORE the request leaves. From here on nobody else ever dials it: whoever finds it abandoned
  can only find out what became of it. It goes back to the queue only by the word of the carrier that nothing was done.
- ``unconfirmed``: the carrier's answer never came, or said nothing. The call may exist.
- ``unknown``: nobody found out. A late callback still tells.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

from voxbus.common.fold import CallState
from voxbus.common.outcome import Outcome, outcome_of, terminal_status

Pending = Literal[
    "queued", "claimed", "dialling", "unconfirmed", "unknown", "placed", "ringing", "in_progress"
]
State = Pending | Outcome

OUTCOMES: Final[frozenset[State]] = frozenset(get_args(Outcome))

#: Nothing more is done about them; what is ``unknown`` may still be told by a late callback.
FINAL: Final[frozenset[State]] = OUTCOMES | {"unknown"}

#: Bound to a CallSid and going on.
LIVE: Final[frozenset[State]] = frozenset({"placed", "ringing", "in_progress"})

#: Left for the carrier, and not known to have arrived.
MAYBE: Final[frozenset[State]] = frozenset({"dialling", "unconfirmed", "unknown"})
_WAITING: Final[frozenset[State]] = frozenset({"queued", "claimed"})

#: From where each state may be entered. What the log says may also enter an outcome from an outcome: a later event can
#: tell more (a transfer, a machine).
SOURCES: Final[dict[State, frozenset[State]]] = {
    "queued": frozenset({"claimed", "dialling"}),
    "claimed": frozenset({"queued"}),
    "dialling": frozenset({"claimed"}),
    "unconfirmed": frozenset({"dialling"}),
    # A call on its way is lost when it must be over and neither a log nor the carrier knows of it.
    "unknown": LIVE | {"unconfirmed"},
    "placed": MAYBE,
    "ringing": MAYBE | {"placed"},
    "in_progress": MAYBE | {"placed", "ringing"},
    **dict.fromkeys(OUTCOMES, MAYBE | LIVE | OUTCOMES),
    # Also what never left the queue: it waited too long, its agent is gone, or nobody wants it any more.
    "failed": _WAITING | MAYBE | LIVE | OUTCOMES,
    "canceled": _WAITING | MAYBE | LIVE | OUTCOMES,
}

#: A call's status by the carrier's REST API.
_CARRIER: Final[dict[str, State]] = {
    "queued": "placed",
    "initiated": "placed",
    "ringing": "ringing",
    "in-progress": "in_progress",
    "completed": "completed",
    "busy": "busy",
    "no-answer": "no_answer",
    "canceled": "canceled",
    "failed": "failed",
}


def state_of(column: str) -> State:
    """What a column of states holds, which is nothing else."""
    return column  # type: ignore[return-value]


def may(current: State, new: State) -> bool:
    """Whether a call in ``current`` may enter ``new``. Staying where it is, is no entering."""
    return current != new and current in SOURCES[new]


def from_log(state: CallState) -> State:
    """Where the call stands by its log. The longer log is right: events come in any order, the log has one."""
    outcome = outcome_of(state)
    if outcome is not None:
        return outcome
    if state.started is not None:
        return "in_progress"
    said = {status.status for status in state.statuses}
    return "in_progress" if "in-progress" in said else "ringing" if "ringing" in said else "placed"


def from_carrier(status: str) -> State:
    """Where the call stands by the carrier's own record, for calls whose log says nothing."""
    return _CARRIER.get(status, "placed")


def reason_of(state: CallState) -> str:
    """Why it ended, for people: the log's reason, else the carrier's status. Empty while it goes on."""
    if state.ended is not None:
        return state.ended.detail or state.ended.reason
    terminal = terminal_status(state)
    return terminal.status if terminal is not None else ""
