"""How a call came out, in one word: what the report says and what the scheduler's row ends in."""

from __future__ import annotations

from typing import Literal

from voxbus.common.events import Status
from voxbus.common.fold import CallState

Outcome = Literal[
    "completed",  # there was a conversation, whoever ended it
    "transferred",  # ... and a human took over
    "voicemail",  # a machine answered, whether it got a message or not
    "no_answer",
    "busy",
    "canceled",
    "failed",  # the carrier, the connection or we broke it
]

#: Carrier statuses after which nothing more comes, with the outcome they stand for when there was no conversation.
#: https://www.twilio.com/docs/voice/api/call-resource (status values)
TERMINAL: dict[str, Outcome] = {
    "completed": "failed",  # answered, and then our webhook or the media failed
    "busy": "busy",
    "no-answer": "no_answer",
    "canceled": "canceled",
    "failed": "failed",
}

_BROKEN = ("connection_lost", "no_capacity", "error")


def terminal_status(state: CallState) -> Status | None:
    """The carrier's last word, if it was said. Callbacks may overtake one another: their own number counts."""
    said = [status for status in state.statuses if status.status in TERMINAL]
    return max(said, key=lambda status: status.sequence) if said else None


def outcome_of(state: CallState) -> Outcome | None:
    """None while the call goes on."""
    terminal = terminal_status(state)
    if state.started is None:
        # Nobody ever spoke with us. An end without a status: the webhook was asked, the media never came.
        if state.by_machine and (terminal or state.ended):
            return "voicemail"
        if terminal is not None:
            return TERMINAL[terminal.status]
        return "failed" if state.ended is not None else None
    if state.ended is None:
        # The carrier is through with it, and the gateway that should have said so is not there.
        return None if terminal is None else _conversation(state, broken=terminal.status != "completed")
    return _conversation(state, broken=state.ended.reason in _BROKEN)


def _conversation(state: CallState, *, broken: bool) -> Outcome:
    if broken:
        return "failed"
    if state.ended is not None and state.ended.reason == "transferred":
        return "transferred"
    return "voicemail" if state.by_machine else "completed"
