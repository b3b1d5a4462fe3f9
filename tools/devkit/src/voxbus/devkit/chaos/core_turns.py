"""The turns of a call: what was asked, how long the line was silent then, and whether anything was lost or repeated.

caller   ####____________________________________####
agent    ________######____########__________________
         |   |<---response  |gap|         ^ the answer ends      |
         start                                                   until (the caller asks again)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from voxbus.common.audio import FRAME_MS
from voxbus.common.events import Heard, Utterance
from voxbus.common.fold import CallState, fold
from voxbus.common.turns import TurnState
from voxbus.devkit.carrier.core_spans import Span, spans
from voxbus.devkit.chaos.facts import Asked, CallFacts, Death

#: Frames are whole and marks a moment late: what is played may be off by so much a sentence.
_TOLERANCE_MS = 60.0
#: What a process that dies has read and not handed on.
_ON_THE_WAY_MS = 100.0
#: A busy carrier notices so late that a gateway is gone.
_NOTICED_MS = 1000.0


@dataclass(frozen=True)
class Turn:
    """``silence_ms``: the longest silence from the end of the question to the end of the answer; to the end of the
    turn when the answer never came or was not complete. It was over at ``silent_until_s``. ``start_s``/``end_s``:
    while the turn was under way.

    ``offline``: it was asked, or a part of it, while the carrier had no stream to us: that never reached us.

    Words: ``lost`` and ``twice`` are of the caller, as the agent understood them; ``unsaid`` and ``repeated`` of the
    agent, as the caller heard them.
    """

    sid: str
    asked: Asked
    start_s: float
    end_s: float
    silence_ms: float
    silent_until_s: float
    answered: bool
    offline: bool = False
    lost: int = 0
    twice: int = 0
    unsaid: int = 0
    repeated: int = 0


def sentence_lengths(calls: Iterable[CallFacts]) -> dict[str, float]:
    """How long (ms) each sentence of the agent takes, by its text, where it was heard to its end."""
    heard: dict[str, list[float]] = {}
    for call in calls:
        for stored in call.log:
            if isinstance(stored.event, Heard) and stored.event.complete:
                heard.setdefault(stored.event.text, []).append(stored.event.played_ms)
    return {text: median(lengths) for text, lengths in heard.items()}


def turns_of(call: CallFacts, lengths: Mapping[str, float], deaths: Sequence[Death] = ()) -> list[Turn]:
    """``lengths``: see ``sentence_lengths``."""
    state = fold(call.log)
    gaps = _without_stream(call, deaths)
    end_ms = len(call.audible) * FRAME_MS
    ends = [asked.start_ms for asked in call.asked[1:]] + [float(end_ms)]
    return [
        _turn(call, state, asked, until, lengths, gaps) for asked, until in zip(call.asked, ends, strict=True)
    ]


def _turn(
    call: CallFacts,
    state: CallState,
    asked: Asked,
    until_ms: float,
    lengths: Mapping[str, float],
    gaps: Sequence[tuple[float, float]],
) -> Turn:
    first, last = int(asked.end_ms // FRAME_MS), int(until_ms // FRAME_MS)
    audible = call.audible[first:last]
    within_s = (call.began_s + (asked.start_ms - 100) / 1000, call.began_s + until_ms / 1000)
    replies = [t for t in state.turns.values() if _is_of_caller(t) and within_s[0] <= t.time_s < within_s[1]]
    sentences = [s for t in replies for _, s in sorted(t.sentences.items())]
    unsaid = sum(_words(s.event.text) - _words(s.heard_text) for s in sentences if s.verdict != "assumed")
    unsaid += sum(_words(s.event.text) for s in sentences if s.verdict == "assumed")
    loud = np.flatnonzero(audible)
    answered = bool(len(loud)) and bool(sentences)
    heard_until = int(loud[-1]) + 1 if answered and not unsaid else len(audible)
    quiet = spans(~audible[:heard_until])
    longest = max(quiet, key=lambda span: span.duration_ms, default=Span(0, 0))
    lost, twice = _compare(asked.text, [t.utterance for t in replies if t.utterance is not None])
    return Turn(
        call.sid,
        asked,
        call.began_s + asked.start_ms / 1000,
        call.began_s + (first + heard_until) * FRAME_MS / 1000,
        float(longest.duration_ms),
        call.began_s + (first * FRAME_MS + longest.end_ms) / 1000,
        answered,
        _overlaps(asked, gaps),
        lost,
        twice,
        unsaid,
        _repeated(call, first, last, [s.event.text for s in sentences if s.verdict == "heard"], lengths),
    )


def _without_stream(call: CallFacts, deaths: Sequence[Death]) -> list[tuple[float, float]]:
    """When (ms) the carrier had no stream to us, after the first one: from the death of its gateway on."""
    died_ms = [1000 * (death.at_s - call.began_s) for death in deaths if death.service == "gateway"]
    gaps: list[tuple[float, float]] = []
    lost_ms: float | None = None
    for moment in call.line:
        if moment.what in ("stream_lost", "stream_closed"):
            lost_ms = min(
                (at for at in died_ms if 0 <= moment.at_ms - at < _NOTICED_MS), default=moment.at_ms
            )
        elif moment.what == "stream_started" and lost_ms is not None:
            gaps.append((lost_ms, moment.at_ms))
            lost_ms = None
    return gaps


def _overlaps(asked: Asked, gaps: Iterable[tuple[float, float]]) -> bool:
    """A frame more on both sides: what was on its way when the connection broke is gone as well."""
    return any(
        asked.start_ms <= until_ms + FRAME_MS and asked.end_ms >= from_ms - _ON_THE_WAY_MS
        for from_ms, until_ms in gaps
    )


def _is_of_caller(turn: TurnState) -> bool:
    return turn.utterance is not None and not turn.withdrawn and turn.utterance.ended_by != "no_input"


def _words(text: str) -> int:
    return len(text.split())


def _compare(meant: str, understood: Iterable[Utterance]) -> tuple[int, int]:
    """(words that are missing, words too many)."""
    wanted = Counter(meant.split())
    got = Counter(word for utterance in understood for word in utterance.text.split())
    return (wanted - got).total(), (got - wanted).total()


def _repeated(call: CallFacts, first: int, last: int, heard: list[str], lengths: Mapping[str, float]) -> int:
    """Words that the agent said again, from how much longer it spoke than its sentences take."""
    expected_ms = sum(lengths.get(text, 0.0) for text in heard)
    played_ms = float(np.count_nonzero(call.queued[first:last]) * FRAME_MS)
    if not expected_ms or played_ms <= expected_ms + _TOLERANCE_MS * len(heard):
        return 0
    return max(1, round((played_ms / expected_ms - 1) * sum(map(_words, heard))))
