"""A call's log, told as turns on the time line of the recording.

Pure: the log (``list[Stored]``) and the Unix time of the recording's first sample go in, values come out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from voxbus.common.events import Continued, Event, Heard, Paused, Sentence, Stored, Utterance
from voxbus.common.fold import CallState
from voxbus.common.latency import Latency, latency_of
from voxbus.common.turns import SentenceState, TurnState

Cause = Literal["greeting", "speech", "keys", "silence"]
E = TypeVar("E", bound=Event)


@dataclass(frozen=True)
class CallerPart:
    """What was recognized of the caller. ``start_ms``/``end_ms``: first and last speech, or the key presses."""

    text: str
    start_ms: float
    end_ms: float
    ended_by: str
    confidence: float


@dataclass(frozen=True)
class SpokenSentence:
    """``heard`` + ``unheard`` = what the agent wanted to say. ``complete``: the carrier confirmed all of it. A sentence
    that never began has no times."""

    index: int
    heard: str
    unheard: str
    complete: bool
    start_ms: float | None
    end_ms: float | None
    fallback: bool


@dataclass(frozen=True)
class Turn:
    """One reply of the agent and what caused it. ``caller`` is None for the greeting of a call in."""

    number: int
    cause: Cause
    caller: CallerPart | None
    sentences: tuple[SpokenSentence, ...]
    interrupted: bool
    latency: Latency | None

    @property
    def first_ms(self) -> float | None:
        return min((s.start_ms for s in self.sentences if s.start_ms is not None), default=None)

    @property
    def last_ms(self) -> float | None:
        return max((s.end_ms for s in self.sentences if s.end_ms is not None), default=None)


def counted(log: Sequence[Stored]) -> tuple[CallState, list[Stored]]:
    """The state after the log, and the events in it that are not void."""
    state = CallState()
    return state, [stored for stored in log if state.apply(stored)]


def of_kind(log: Iterable[Stored], kind: type[E]) -> list[tuple[float, E]]:
    """(Unix time, event) of every event of the kind, in the order of the log."""
    return [(stored.time_s, stored.event) for stored in log if isinstance(stored.event, kind)]


def turns(log: Sequence[Stored], zero_s: float) -> tuple[Turn, ...]:
    """Every turn in which the agent had something to say."""
    state, kept = counted(log)
    heard_ms = {(e.turn, e.attempt, e.sentence): 1000 * (at_s - zero_s) for at_s, e in of_kind(kept, Heard)}
    return tuple(
        Turn(
            number=turn.number,
            cause=_cause(turn),
            caller=_caller(turn.utterance) if turn.utterance else None,
            sentences=tuple(
                _sentence(s, heard_ms.get((turn.number, turn.attempt, index)), _held(kept, s.event))
                for index, s in sorted(turn.sentences.items())
            ),
            interrupted=turn.interrupted is not None,
            latency=latency_of(turn),
        )
        for _, turn in sorted(state.turns.items())
        if turn.sentences and not turn.withdrawn
    )


def _cause(turn: TurnState) -> Cause:
    utterance = turn.utterance
    if turn.number == 1 or utterance is None:
        return "greeting"  # of a call out: the answer to the callee's hello
    if utterance.ended_by == "dtmf":
        return "keys"
    return "silence" if utterance.ended_by in ("no_input", "time_limit") else "speech"


def _caller(utterance: Utterance) -> CallerPart:
    return CallerPart(
        text=utterance.text,
        start_ms=utterance.start_media_ms,
        end_ms=utterance.end_media_ms,
        ended_by=utterance.ended_by,
        confidence=utterance.confidence,
    )


def _sentence(sentence: SentenceState, heard_ms: float | None, held: _Held) -> SpokenSentence:
    """``heard_ms``: when the verdict came, which is when the last of it was played, or the playout was cut."""
    start_ms = end_ms = None
    if sentence.heard is not None and heard_ms is not None and sentence.heard.played_ms:
        # A verdict "cut" comes with the interruption; the silence came with the pause before it.
        end_ms = heard_ms if held.since_ms is None else min(heard_ms, held.since_ms)
        start_ms = end_ms - sentence.heard.played_ms - held.ms
    return SpokenSentence(
        index=sentence.event.index,
        heard=sentence.heard_text,
        unheard=sentence.unheard_text,
        complete=sentence.verdict == "heard",
        start_ms=None if start_ms is None else round(start_ms, 1),
        end_ms=None if end_ms is None else round(end_ms, 1),
        fallback=sentence.event.fallback,
    )


@dataclass(frozen=True)
class _Held:
    """How long the playout was held inside a sentence, and since when it is held for good (None: it went on)."""

    ms: float = 0.0
    since_ms: float | None = None


def _held(log: list[Stored], sentence: Sentence) -> _Held:
    held, since_s = _Held(), 0.0
    for stored in log:
        match stored.event:
            case Paused() as paused if (paused.turn, paused.sentence) == (sentence.turn, sentence.index):
                held, since_s = _Held(held.ms, paused.media_ms), stored.time_s
            case Continued() if held.since_ms is not None:
                held = _Held(held.ms + 1000 * (stored.time_s - since_s))
            case _:
                pass
    return held
