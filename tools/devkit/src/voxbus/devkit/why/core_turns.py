"""What was unusual in each turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from voxbus.common import events as ev
from voxbus.common.audio import FRAME_MS
from voxbus.common.events import Stored
from voxbus.common.fold import CallState
from voxbus.common.turns import TurnState
from voxbus.devkit.demo.story import Turn, of_kind, turns
from voxbus.devkit.why.core_finding import Finding, count, seconds
from voxbus.devkit.why.core_slow import slow

#: What a caller takes for nobody being there, although a filler may be heard meanwhile.
DEAD_AIR_MS: Final = 2500.0
#: Silence between two sentences of a reply that a caller takes for its end.
_GAP_MS: Final = 1000.0
#: What a tool may take without being told of.
_SLOW_TOOL_MS: Final = 1500.0
#: What a caller who talks over the agent takes for being ignored.
_LATE_STOP_MS: Final = 400.0


def of_turns(state: CallState, log: Sequence[Stored]) -> Iterator[Finding]:
    """``log`` without its void events; ``state`` after it."""
    told = turns(log, state.started_s)
    slow_ones, silences = slow(told), _silences(told)
    paused = {event.turn: event.reaction_ms for _, event in of_kind(log, ev.Paused)}
    times = {id(stored.event): stored.time_s for stored in log}
    providers = Counter(t.reply_ended.provider for t in state.turns.values() if t.reply_ended is not None)
    usual_provider = providers.most_common(1)[0][0] if providers else ""
    last_s = log[-1].time_s if log else 0.0
    for number, turn in sorted(state.turns.items()):
        if turn.withdrawn:
            continue
        found = [
            *_caller(turn),
            *([slow_ones[number]] if number in slow_ones else []),
            *_reply(turn, usual_provider),
            *_tools(turn),
            *silences.get(number, []),
            *_underruns(turn),
            *_unanswered(turn, _end_s(state, number, last_s)),
        ]
        for text in found:
            yield Finding(turn.time_s, number, text)
        if (cut := turn.interrupted) is not None:
            text = _interrupted(state, turn, cut, paused.get(number, 0.0))
            yield Finding(times[id(cut)], number, text)


def _caller(turn: TurnState) -> Iterator[str]:
    said = turn.utterance
    if said is None:
        return
    match said.ended_by:
        case "no_input":
            yield "nobody spoke, and the agent asked again"
        case "time_limit":
            yield "the call had lasted as long as a call may (MAX_CALL_S)"
        case "max_duration":
            yield "the caller's turn was ended at its longest (MAX_TURN_MS)"
        case "provider" | "silence" | "no_words" if not said.text:
            spoke_s = (said.end_media_ms - said.start_media_ms) / 1000
            yield f"the caller was not understood: {seconds(spoke_s)} of speech without a word"
        case _:
            pass
    if said.dropped_frames:
        lost = count(said.dropped_frames, "frame")
        yield f"{lost} of the caller ({said.dropped_frames * FRAME_MS} ms) never reached the recognizer"


def _reply(turn: TurnState, usual_provider: str) -> Iterator[str]:
    fallback = next((s.event for _, s in sorted(turn.sentences.items()) if s.event.fallback), None)
    if fallback is not None:
        yield f"no model answered ({fallback.cause or 'no cause given'}), the fallback line was said"
    ended = turn.reply_ended
    if ended is None:
        return
    match ended.reason:
        case "takeover":
            yield "another LLM worker took the reply over and could only end it where it was"
        case "cut_off":
            yield f"{ended.provider or 'the model'} broke off in mid-reply, which ends at its last whole sentence"
        case "length":
            yield "the model's answer was longer than it may be (LLM_MAX_TOKENS)"
        case _:
            pass
    if fallback is None and ended.provider and usual_provider and ended.provider != usual_provider:
        yield f"answered by {ended.provider}, not by {usual_provider} as the rest of the call"


def _tools(turn: TurnState) -> Iterator[str]:
    for index, called in sorted(turn.tools_called.items()):
        returned = turn.tools_returned.get(index)
        if returned is None:
            yield f"the tool {called.name} never returned"
        elif not returned.ok:
            yield f"the tool {called.name} failed"
        elif returned.duration_ms >= _SLOW_TOOL_MS:
            yield f"the tool {called.name} took {returned.duration_ms:.0f} ms"


def _underruns(turn: TurnState) -> Iterator[str]:
    gaps_ms = sum(s.heard.underrun_ms for s in turn.sentences.values() if s.heard is not None)
    if gaps_ms >= FRAME_MS:
        yield f"{gaps_ms:.0f} ms of gaps inside its sentences: audio came too late"
    assumed = sum(s.verdict == "assumed" for s in turn.sentences.values())
    if assumed:
        yield f"{count(assumed, 'sentence')} of which nobody can say what was heard"


def _silences(told: Sequence[Turn]) -> dict[int, list[str]]:
    """Dead air, by turn: before a reply, and inside it."""
    found: dict[int, list[str]] = {}
    for turn in told:
        latency, texts = turn.latency, found.setdefault(turn.number, [])
        if latency is not None and turn.cause != "greeting":
            silent_ms = latency.total_ms - latency.endpointing_ms - latency.recognition_ms
            if silent_ms >= DEAD_AIR_MS:
                texts.append(f"dead air: {silent_ms:.0f} ms without a word of the answer, fillers aside")
        for before, after in pairwise(turn.sentences):
            if before.end_ms is not None and after.start_ms is not None:
                gap_ms = after.start_ms - before.end_ms
                if gap_ms >= _GAP_MS:
                    texts.append(f"dead air: {gap_ms:.0f} ms of silence before sentence {after.index + 1}")
    return found


def _unanswered(turn: TurnState, end_s: float) -> Iterator[str]:
    """A caller who hung up at once was not left without an answer."""
    if turn.sentences or turn.replied or not turn.confirmed:
        return
    waited_s = end_s - turn.time_s
    if waited_s * 1000 >= DEAD_AIR_MS:
        yield f"never answered, for {seconds(waited_s)}"


def _end_s(state: CallState, number: int, last_s: float) -> float:
    """When it was too late for an answer."""
    following = [turn.time_s for other, turn in state.turns.items() if other > number]
    return min([*following, state.ended_s or last_s])


def _interrupted(state: CallState, turn: TurnState, cut: ev.Interrupted, reaction_ms: float) -> str:
    if state.to_machine and not turn.for_machine:
        return "cut: a machine had answered"
    where = f"sentence {cut.sentence + 1}, {seconds(cut.played_ms / 1000)} into it"
    text = f"the caller interrupted {where if cut.played_ms else 'before it was heard'}"
    if reaction_ms >= _LATE_STOP_MS:
        text += f"; the agent fell silent late, {reaction_ms:.0f} ms after the caller's first frame"
    return text
