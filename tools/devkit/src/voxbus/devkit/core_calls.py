"""A call in one line, from its log. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from voxbus.common.events import Stored
from voxbus.common.fold import CallState, fold
from voxbus.common.outcome import outcome_of, terminal_status
from voxbus.reporter.core_recording import standing


@dataclass(frozen=True)
class Row:
    """``state``: ``live``, or how the call came out. ``ended``: why, empty while it is live. Times are Unix seconds;
    ``seconds`` of a live call counts to its last event. ``recording``: ``complete``, ``incomplete`` (which it is while
    it runs), or ``none``.
    """

    call: str
    state: str
    ended: str
    direction: str
    agent: str
    started_s: float
    seconds: float
    turns: int
    interruptions: int
    fallbacks: int
    recording: str
    from_number: str
    to_number: str

    @property
    def began(self) -> str:
        """By the clock of whoever reads it."""
        return datetime.fromtimestamp(self.started_s).astimezone().isoformat(sep=" ", timespec="seconds")[:19]

    def line(self, *, numbers: bool = False) -> str:
        state = f"{self.state} ({self.ended})" if self.ended else self.state
        recorded = {"complete": "yes", "incomplete": "part"}.get(self.recording, "-")
        counts = f"{self.turns:>3} {self.interruptions:>3} {self.fallbacks:>3} {recorded:>4}"
        shown = f"  {self.from_number} -> {self.to_number}" if numbers else ""
        return (
            f"{self.began}  {self.call}  {state:<28} {self.direction or '-':<10}"
            f"{self.agent or '-':<22} {self.seconds:>6.0f} {counts}{shown}"
        )


#: Over the lines of several calls.
HEADING = (
    f"{'began':<19}  {'call':<34}  {'state':<28} {'direction':<10}{'agent':<22} {'s':>6} "
    "trn int fbk  rec  (turns, interruptions, fallbacks, recorded)"
)


def row(log: Sequence[Stored]) -> Row:
    """``log``: at least one event."""
    state = fold(log)
    outcome = outcome_of(state)
    turns = [turn for turn in state.turns.values() if turn.confirmed and not turn.withdrawn]
    direction, from_number, to_number = _who(state)
    began_s = state.started_s or log[0].time_s
    return Row(
        call=log[0].event.call,
        state=outcome or "live",
        ended=_why(state),
        direction=direction,
        agent=state.started.agent.name if state.started is not None else "",
        started_s=began_s,
        seconds=round(max(0.0, (state.ended_s or log[-1].time_s) - began_s), 1),
        turns=len(turns),
        interruptions=sum(turn.interrupted is not None for turn in turns),
        fallbacks=sum(any(s.event.fallback for s in turn.sentences.values()) for turn in turns),
        recording=standing(state),
        from_number=from_number,
        to_number=to_number,
    )


def _why(state: CallState) -> str:
    if state.ended is not None:
        return state.ended.reason
    status = terminal_status(state)
    return status.status if status is not None else ""


def _who(state: CallState) -> tuple[str, str, str]:
    """Direction and numbers; a call that never started has them from the carrier."""
    for source in (state.started, *state.statuses):
        if source is not None and source.direction:
            return source.direction, source.from_number, source.to_number
    return "", "", ""
