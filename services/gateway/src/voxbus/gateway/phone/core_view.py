"""A call as the page of the browser phone shows it. Pure: the call's fold goes in, small values come out.

Turns go to the page whole, each time something of them has changed: the page draws, and knows no rule of the fold.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from voxbus.common.events import Stored, Utterance
from voxbus.common.fold import CallState
from voxbus.common.latency import Latency, latency_of
from voxbus.common.turns import SentenceState, TurnState

By = Literal["greeting", "speech", "keys", "silence"]


class Said(msgspec.Struct, frozen=True):
    """``verdict``: heard, cut, unheard, assumed; empty = still to be played, or being played."""

    heard: str
    unheard: str
    verdict: str


class TurnView(msgspec.Struct, frozen=True):
    """One reply and what caused it. ``final`` false: a guess, which may be taken back."""

    turn: int
    by: By
    caller: str
    final: bool
    said: tuple[Said, ...]
    interrupted: bool
    fallback: bool
    latency: Latency | None


class CallView(msgspec.Struct, frozen=True):
    """``holding``: the agent holds its breath, because the caller speaks. ``ended``: why, or empty."""

    began: bool
    holding: bool
    ended: str


class Hum(msgspec.Struct, frozen=True):
    """A listener's noise, in the turn that it fell into."""

    turn: int
    hum: str


class Partial(msgspec.Struct, frozen=True):
    """What the recognizer makes of the words that are being spoken."""

    partial: str


class TurnGone(msgspec.Struct, frozen=True):
    """The caller went on speaking: the turn was none yet."""

    gone: int


Line = TurnView | CallView | Hum | Partial | TurnGone


class View:
    """Follows one call. ``apply`` returns what the page does not know yet, in the order to draw it."""

    def __init__(self) -> None:
        self._state = CallState()
        self._turns: dict[int, TurnView] = {}
        self._call: CallView | None = None

    @property
    def ended(self) -> bool:
        return self._state.ended is not None

    def apply(self, stored: Stored) -> list[Line]:
        if not self._state.apply(stored):
            return []
        event = stored.event
        lines: list[Line] = []
        if isinstance(event, Utterance) and event.backchannel:
            lines.append(Hum(event.turn, event.text))
        return [*lines, *self._changed_turns(), *self._changed_call()]

    def _changed_turns(self) -> list[Line]:
        lines: list[Line] = []
        for number, turn in sorted(self._state.turns.items()):
            known = self._turns.get(number)
            if turn.withdrawn:
                if self._turns.pop(number, None) is not None:
                    lines.append(TurnGone(number))
            elif (view := _turn(turn)) != known:
                self._turns[number] = view
                lines.append(view)
        return lines

    def _changed_call(self) -> list[Line]:
        state = self._state
        view = CallView(
            state.started is not None, state.paused is not None, state.ended.reason if state.ended else ""
        )
        if view == self._call:
            return []
        self._call = view
        return [view]


def _turn(turn: TurnState) -> TurnView:
    utterance = turn.utterance
    return TurnView(
        turn=turn.number,
        by=_by(utterance),
        caller=utterance.text if utterance is not None else "",
        final=turn.confirmed,
        said=tuple(_said(sentence) for _, sentence in sorted(turn.sentences.items())),
        interrupted=turn.interrupted is not None,
        fallback=any(sentence.event.fallback for sentence in turn.sentences.values()),
        latency=latency_of(turn),
    )


def _by(utterance: Utterance | None) -> By:
    if utterance is None:
        return "greeting"
    if utterance.ended_by == "dtmf":
        return "keys"
    return "silence" if utterance.ended_by in ("no_input", "time_limit") else "speech"


def _said(sentence: SentenceState) -> Said:
    return Said(sentence.heard_text, sentence.unheard_text, sentence.verdict or "")
