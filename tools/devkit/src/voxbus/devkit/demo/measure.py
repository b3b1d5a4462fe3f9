"""Measurements of one call that need both witnesses: the log names the moment, the recording the sound. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from voxbus.common.events import Continued, Interrupted, Paused, Stored, Utterance
from voxbus.devkit.demo.facts import CarrierFacts, Kill, Moment
from voxbus.devkit.demo.recording import Span, gaps
from voxbus.devkit.demo.story import Turn, of_kind

#: A sentence's place in the log is known to this.
_NEAR_MS = 80.0
#: A hole in a reply is not longer than this: after it the call is given up.
_HOLE_MS = 20_000.0


@dataclass(frozen=True)
class Interruption:
    """``stopped_ms``: the caller's first sound to the last sound of the agent, in the recording. ``reaction_ms``: the
    gateway's own: the caller's deciding frame to ``clear`` sent."""

    turn: int
    at_ms: float
    stopped_ms: float
    reaction_ms: float


@dataclass(frozen=True)
class Backchannel:
    """``held_from_ms``, ``held_ms``: the agent paused for it, and for how long before it went on; 0 = it never did."""

    turn: int
    text: str
    start_ms: float
    end_ms: float
    held_from_ms: float
    held_ms: float


@dataclass(frozen=True)
class WorkerKill:
    """``silence_from_ms``, ``silence_ms``: before the first word, voice to voice; in mid-reply, the longest silence
    between two sentences after the kill. ``usual_ms``: the same in undisturbed turns. ``added_ms``: the difference."""

    service: str
    pid: int
    turn: int
    at_ms: float
    moment: Moment
    silence_from_ms: float
    silence_ms: float
    usual_ms: float
    added_ms: float


@dataclass(frozen=True)
class MeasuredTurn:
    """``voice_to_voice_ms``: the caller's last sound to the agent's first, which came at ``first_sound_ms``. Both are
    seen in the recording; None when they are not."""

    turn: Turn
    first_sound_ms: float | None
    voice_to_voice_ms: float | None


def measure_turn(turn: Turn, caller: Sequence[Span], agent: Sequence[Span]) -> MeasuredTurn:
    """From the end of what the caller said for this turn (the last key, the start of the stream) to the reply."""
    if turn.first_ms is None:
        return MeasuredTurn(turn, None, None)
    # The log's times of a sentence are good to some tens of ms; the recording knows the sound itself.
    first = next(
        (s.start_ms for s in agent if s.end_ms > turn.first_ms and s.start_ms > turn.first_ms - 100), None
    )
    if first is None:
        return MeasuredTurn(turn, None, None)
    last: float | None = 0.0
    if turn.cause == "keys" and turn.caller is not None:
        last = turn.caller.end_ms
    elif turn.caller is not None:
        spoken = (s.end_ms for s in reversed(caller) if s.start_ms < turn.caller.end_ms and s.end_ms < first)
        last = next(spoken, None)
    return MeasuredTurn(turn, first, None if last is None else round(first - last, 1))


def interruptions(
    log: Sequence[Stored], facts: CarrierFacts, caller: Sequence[Span], agent: Sequence[Span]
) -> tuple[Interruption, ...]:
    found = []
    for time_s, event in of_kind(log, Interrupted):
        decided_ms = 1000 * (time_s - facts.zero_s)
        pause = next((e for _, e in reversed(of_kind(log, Paused)) if e.turn == event.turn), None)
        clear_ms = next((ms for ms in facts.clears_ms if not pause or ms > pause.media_ms - 300), decided_ms)
        onset_ms = next((s.start_ms for s in reversed(caller) if s.start_ms <= clear_ms), clear_ms)
        last_ms = max((min(s.end_ms, decided_ms) for s in agent if s.start_ms < decided_ms), default=clear_ms)
        found.append(
            Interruption(
                turn=event.turn,
                at_ms=round(onset_ms, 1),
                stopped_ms=round(max(last_ms, clear_ms) - onset_ms, 1),
                reaction_ms=pause.reaction_ms if pause else 0.0,
            )
        )
    return tuple(found)


def backchannels(log: Sequence[Stored], facts: CarrierFacts) -> tuple[Backchannel, ...]:
    found = []
    for _, said in of_kind(log, Utterance):
        if not said.backchannel:
            continue
        held_from, held = float(said.start_media_ms), 0.0
        for paused_s, paused in of_kind(log, Paused):
            # A ``continued`` carries the media time of its ``paused``.
            on_s = next((at_s for at_s, e in of_kind(log, Continued) if e.media_ms == paused.media_ms), None)
            if _near(paused.media_ms, said) and on_s is not None:
                held_from, held = paused.media_ms, round(1000 * (on_s - paused_s), 1)
        found.append(
            Backchannel(
                said.turn,
                said.text or _spoken(said, facts),
                said.start_media_ms,
                said.end_media_ms,
                held_from,
                held,
            )
        )
    return tuple(found)


def _spoken(said: Utterance, facts: CarrierFacts) -> str:
    """What the script said there: a recognizer need not know a hum by its letters."""
    return next(
        (one.text for one in facts.said if one.start_ms < said.end_media_ms <= one.end_ms + 200), "a sound"
    )


def _near(media_ms: float, said: Utterance) -> bool:
    return said.start_media_ms - 200 <= media_ms <= said.end_media_ms + 500


def measure_kill(
    kill: Kill, measured: Sequence[MeasuredTurn], agent: Sequence[Span], held: frozenset[int] = frozenset()
) -> WorkerKill:
    """``held``: turns in which the playout was held, whose silences are not the usual ones."""
    hit = next((m for m in measured if m.turn.number == kill.turn), None)
    others = [m for m in measured if m.turn.number != kill.turn]
    silence, usual = Span(kill.at_ms, kill.at_ms), 0.0
    if hit is not None and hit.first_sound_ms is not None and kill.moment == "first_word":
        silence = Span(hit.first_sound_ms - (hit.voice_to_voice_ms or 0.0), hit.first_sound_ms)
        usual = _median(
            [m.voice_to_voice_ms for m in others if m.voice_to_voice_ms and m.turn.cause == "speech"]
        )
    elif hit is not None:
        later = [gap for gap in _between_sentences(hit.turn, agent) if gap.end_ms > kill.at_ms]
        silence = max(later, key=lambda gap: gap.ms, default=silence)
        calm = (m.turn for m in others if m.turn.number not in held)
        usual = _median([gap.ms for turn in calm for gap in _between_sentences(turn, agent)])
    return WorkerKill(
        service=kill.service,
        pid=kill.pid,
        turn=kill.turn,
        at_ms=round(kill.at_ms, 1),
        moment=kill.moment,
        silence_from_ms=round(silence.start_ms, 1),
        silence_ms=round(silence.ms, 1),
        usual_ms=round(usual, 1),
        added_ms=round(max(0.0, silence.ms - usual), 1),
    )


def _between_sentences(turn: Turn, agent: Sequence[Span]) -> list[Span]:
    """The silences of the recording in which one sentence had ended and the next begun, by the log."""
    found = []
    for sentence in turn.sentences[1:]:
        if sentence.start_ms is not None:
            edge = sentence.start_ms
            around = gaps(agent, edge - _HOLE_MS, edge + _NEAR_MS)
            found += [gap for gap in around if gap.start_ms - _NEAR_MS <= edge <= gap.end_ms + _NEAR_MS][-1:]
    return found


def _median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else 0.0
