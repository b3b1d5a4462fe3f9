"""What Twilio shall do when a stream is over, decided from the call's log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from voxbus.common.events import EndReason
from voxbus.common.fold import CallState

#: Streams that could not even start, one after another, before the call is given up.
MAX_TRIES: Final = 3

#: Where there is only one gateway, its successor needs a moment before it takes streams.
_SUCCESSOR_S: Final = 2


@dataclass(frozen=True)
class HangUp:
    """``ended``: the reason to put into the log first; None = it is there already.

    ``apologize``: the caller waited for an agent that never spoke, and has not been told why.
    """

    ended: EndReason | None
    detail: str = ""
    apologize: bool = False


@dataclass(frozen=True)
class Dial:
    number: str


@dataclass(frozen=True)
class Reconnect:
    """``streams``: how many streams the call has had. ``tries``: of those since then none has started."""

    streams: int
    tries: int

    def pause_s(self, *, stops_alone: bool) -> int:
        """How long to wait before the stream. ``stops_alone``: this gateway drains, and there is no other."""
        return _SUCCESSOR_S if stops_alone else min(self.tries, 1)


Next = HangUp | Dial | Reconnect


def decide(state: CallState, streams: int, tries: int) -> Next:
    """``streams``/``tries``: what the last Reconnect said; Twilio brings them back in the URL."""
    if state.ended is not None:
        return HangUp(None, apologize=state.ended.unsaid)
    if state.hangup is not None and not _rest_is_owed(state, state.hangup.turn):
        return HangUp("agent_hung_up")
    if state.transfer is not None:
        agent = state.started.agent if state.started is not None else None
        number = agent.transfer_targets.get(state.transfer.target, "") if agent is not None else ""
        return Dial(number) if number else HangUp("error", "the transfer target has no number")
    now = streams_of(state)
    tries = 0 if now > streams else tries + 1
    if tries >= MAX_TRIES and state.hangup is not None:
        return HangUp("agent_hung_up", "the media stream could not be started again for the goodbye")
    if tries >= MAX_TRIES:
        return HangUp("connection_lost", "the media stream could not be started", apologize=not now)
    return Reconnect(now, tries)


def _rest_is_owed(state: CallState, goodbye: int) -> bool:
    """A stream that left by itself had its ``heard`` or ``ended`` stored before; this one broke, and the caller waits
    for the rest of the ``goodbye``, or has just cut it to say something. One more stream is tried for that."""
    turn = state.turns.get(goodbye)
    if turn is None or state.resumed > state.resumed_before_hangup:
        return False
    return turn.interrupted is not None or not turn.played


def streams_of(state: CallState) -> int:
    return state.resumed + (state.started is not None)
