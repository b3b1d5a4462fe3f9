"""What to do with a job, decided from the log of its call.

A ``sentence`` is one thing to say. A ``resumed`` is what is left of the turn that was going on: the gateway that had
its audio is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from voxbus.common.events import Resumed, Sentence
from voxbus.common.fold import CallState
from voxbus.common.turns import TurnState

#: Older jobs are not spoken: nobody waits that long for an answer.
MAX_AGE_S: Final = 15.0

#: A job that is delivered later than this after it was stored may have been preceded by events that cancel it and that
#: this worker has not seen: it was down, or did not yet follow the calls. Clocks of machines differ by less.
FRESH_S: Final = 1.0

Why = Literal["old", "ended", "superseded", "interrupted", "withdrawn", "heard", "nothing_left"]


@dataclass(frozen=True)
class Speak:
    """``sentences``, in their order."""

    sentences: tuple[Sentence, ...]


@dataclass(frozen=True)
class Skip:
    why: Why


def needs_log(age_s: float, *, redelivered: bool) -> bool:
    """Whether the log must be read first. A fresh job goes by the live events alone, which saves it a round trip."""
    return redelivered or age_s > FRESH_S


def plan_sentence(sentence: Sentence, state: CallState, age_s: float) -> Speak | Skip:
    """``state``: the fold of the log, the sentence itself included."""
    if age_s > MAX_AGE_S:
        return Skip("old")
    if state.ended is not None:
        return Skip("ended")
    turn = state.turns.get(sentence.turn)
    if turn is not None and turn.attempt == sentence.attempt:
        if turn.withdrawn:
            return Skip("withdrawn")
        if turn.interrupted is not None:
            return Skip("interrupted")
        known = turn.sentences.get(sentence.index)
        if known is not None and known.verdict == "heard":
            return Skip("heard")
    if not state.is_current(sentence.turn, sentence.attempt):
        return Skip("superseded")
    return Speak((sentence,))


def plan_resumed(resumed: Resumed, state: CallState, age_s: float) -> Speak | Skip:
    """Everything of the current turn, and of a guessed one after it, that was not heard to its end."""
    if age_s > MAX_AGE_S:
        return Skip("old")
    if state.ended is not None:
        return Skip("ended")
    if state.stream_sid != resumed.stream_sid:  # the call moved on once more; that is a job of its own
        return Skip("superseded")
    turns = (turn for _, turn in sorted(state.turns.items()))
    current = (turn for turn in turns if state.is_current(turn.number, turn.attempt))
    sentences = tuple(sentence for turn in current for sentence in _unheard(turn))
    return Speak(sentences) if sentences else Skip("nothing_left")


def _unheard(turn: TurnState) -> list[Sentence]:
    # A sentence that was cut (the stream broke in it) is said again; the gateway knows from where to play it.
    return [s.event for _, s in sorted(turn.sentences.items()) if s.verdict not in ("heard", "assumed")]
