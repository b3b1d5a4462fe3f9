"""The report of a call from its log. Pure: the same log gives the same report, byte for byte.

Work that came to nothing (void events) is not in the transcript, but it is in the usage.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from voxbus.common import events as ev
from voxbus.common.events import Event, Stored
from voxbus.common.fold import CallState, fold
from voxbus.common.outcome import outcome_of
from voxbus.common.report import (
    AgentLine,
    CallerLine,
    CallReport,
    Fallback,
    Latency,
    ModelUsage,
    ToolUse,
    Turn,
    Usage,
    VoiceUsage,
)
from voxbus.common.turns import SentenceState, TurnState
from voxbus.reporter.core_recording import recording


def build(log: Sequence[Stored]) -> CallReport:
    """``log``: the whole call (``core_basis.basis``). Raises ValueError while the call goes on."""
    state = fold(log)
    outcome = outcome_of(state)
    if state.ended is None or outcome is None:
        raise ValueError("the call has not ended")
    clock = _Clock(log, state)
    duration_ms = clock.since_start_ms(state.ended_s)
    turns = tuple(_turn(turn) for _, turn in sorted(state.turns.items()) if _counts(turn))
    session, direction, from_number, to_number = _who(state)
    return CallReport(
        call_sid=state.ended.call,
        session_id=session,
        direction=direction,
        from_=from_number,
        to=to_number,
        agent=state.started.agent.name if state.started else "",
        started_at=datetime.fromtimestamp(clock.start_s, UTC),
        ended_at=datetime.fromtimestamp(state.ended_s, UTC),
        duration_ms=duration_ms,
        outcome=outcome,
        end_reason=state.ended.reason,
        end_detail=state.ended.detail,
        answered_by=state.answered_by,
        transcript=_transcript(state, clock),
        turns=turns,
        interruptions=sum(turn.interrupted for turn in turns),
        dropped_frames=sum(turn.dropped_frames for turn in turns),
        fallbacks=_fallbacks(state),
        usage=_usage((stored.event for stored in log), duration_ms),
        recording=recording(state, clock.since_start_ms),
    )


class _Clock:
    """When things happened: the stream's timestamps, told from the call's start."""

    def __init__(self, log: Sequence[Stored], state: CallState) -> None:
        # A call that never started still has a first event.
        self.start_s = state.started_s if state.started is not None else log[0].time_s
        self._times = {(s.event.kind, s.event.key()): s.time_s for s in log}

    def since_start_ms(self, time_s: float) -> int:
        return max(0, round((time_s - self.start_s) * 1000))

    def of(self, event: Event) -> int:
        return self.since_start_ms(self._times[event.kind, event.key()])


def _who(state: CallState) -> tuple[str, ev.Direction, str, str]:
    if (started := state.started) is not None:
        return started.session, started.direction, started.from_number, started.to_number
    for status in state.statuses:
        if status.direction:
            return status.session, status.direction, status.from_number, status.to_number
    return "", "inbound", "", ""


def _counts(turn: TurnState) -> bool:
    """Guesses that were taken back, and those that nobody confirmed, are no turns."""
    return not turn.withdrawn and turn.confirmed


def _transcript(state: CallState, clock: _Clock) -> tuple[CallerLine | AgentLine, ...]:
    lines: list[CallerLine | AgentLine] = []
    for turn in filter(_counts, state.turns.values()):
        if turn.utterance is not None and turn.utterance.text:
            lines.append(_caller_line(turn.utterance, clock))
        for _, sentence in sorted(turn.sentences.items()):
            lines.append(_agent_line(turn, sentence, clock))
    lines += [_caller_line(utterance, clock) for utterance in state.backchannels if utterance.text]
    # Sorting is stable: sentences of a turn that nobody timed stay in their order.
    return tuple(sorted(lines, key=lambda line: line.start_ms))


def _caller_line(utterance: ev.Utterance, clock: _Clock) -> CallerLine:
    # Back from the moment the text was there; the media clock has no place on the stream's.
    end_ms = clock.of(utterance) - round(utterance.recognition_ms + utterance.endpoint_ms)
    start_ms = end_ms - (utterance.end_media_ms - utterance.start_media_ms)
    return CallerLine(
        turn=utterance.turn,
        start_ms=max(0, start_ms),
        end_ms=max(0, end_ms),
        text=utterance.text,
        by="keys" if utterance.ended_by == "dtmf" else "speech",
        confidence=utterance.confidence,
        backchannel=utterance.backchannel,
    )


def _agent_line(turn: TurnState, sentence: SentenceState, clock: _Clock) -> AgentLine:
    event = sentence.event
    cut = turn.interrupted if turn.interrupted and turn.interrupted.sentence == event.index else None
    if sentence.heard is not None:
        end_ms, played_ms = clock.of(sentence.heard), sentence.heard.played_ms
    elif cut is not None:
        end_ms, played_ms = clock.of(cut), cut.played_ms
    else:  # nobody measured it: when it was ready is what is known
        end_ms, played_ms = clock.of(event), 0
    return AgentLine(
        turn=turn.number,
        start_ms=max(0, end_ms - played_ms),
        end_ms=end_ms,
        text=event.text,
        heard=sentence.heard_text,
        verdict=sentence.verdict or "unknown",
        fallback=event.fallback,
    )


def _turn(turn: TurnState) -> Turn:
    utterance = turn.utterance
    sentences = [sentence for _, sentence in sorted(turn.sentences.items())]
    return Turn(
        turn=turn.number,
        cause=utterance.ended_by if utterance is not None else "start",
        caller=utterance.text if utterance is not None else "",
        agent=" ".join(sentence.event.text for sentence in sentences),
        heard=turn.heard_text,
        interrupted=turn.interrupted is not None,
        dropped_frames=utterance.dropped_frames if utterance is not None else 0,
        latency=_latency(turn, sentences),
        tools=tuple(_tool(turn, index) for index in sorted(turn.tools_called)),
    )


def _latency(turn: TurnState, sentences: Sequence[SentenceState]) -> Latency:
    utterance = turn.utterance
    first = sentences[0] if sentences else None
    spoken = utterance is not None and utterance.ended_by in (
        "provider",
        "silence",
        "max_duration",
        "no_words",
    )
    total = _response_ms(turn, sentences) if spoken else 0.0
    endpointing = recognition = tools = first_token = first_sentence = synthesis = playout = None
    if spoken and utterance is not None:
        endpointing, recognition = utterance.endpoint_ms, utterance.recognition_ms
    if first is not None:
        tools = first.event.tools_ms if turn.tools_called else None
        first_token = first.event.first_token_ms - first.event.tools_ms
        first_sentence = first.event.ready_ms - first.event.first_token_ms
        synthesis = first.heard.synthesis_ms if first.heard is not None else None
    if total:
        known = (endpointing, recognition, tools, first_token, first_sentence, synthesis)
        playout = total - sum(part for part in known if part is not None)
    return Latency(
        endpointing=_ms(endpointing),
        recognition=_ms(recognition),
        tools=_ms(tools),
        first_token=_ms(first_token),
        first_sentence=_ms(first_sentence),
        synthesis=_ms(synthesis),
        playout=_ms(playout),
        total=_ms(total or None),
    )


def _response_ms(turn: TurnState, sentences: Iterable[SentenceState]) -> float:
    for sentence in sentences:
        if sentence.heard is not None and sentence.heard.response_ms:
            return sentence.heard.response_ms
    return turn.interrupted.response_ms if turn.interrupted is not None else 0.0


def _ms(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _tool(turn: TurnState, index: int) -> ToolUse:
    returned = turn.tools_returned.get(index)
    return ToolUse(
        name=turn.tools_called[index].name,
        ok=None if returned is None else returned.ok,
        duration_ms=0.0 if returned is None else round(returned.duration_ms, 1),
    )


def _fallbacks(state: CallState) -> tuple[Fallback, ...]:
    """One for each turn that a fallback sentence was said in."""
    found = []
    for number, turn in sorted(state.turns.items()):
        said = [s.event for _, s in sorted(turn.sentences.items()) if s.event.fallback]
        if said and _counts(turn):
            found.append(Fallback(turn=number, cause=said[0].cause))
    return tuple(found)


def _usage(events: Iterable[Event], call_ms: int) -> Usage:
    replies: dict[tuple[str, str], list[ev.ReplyEnded]] = defaultdict(list)
    sentences: dict[tuple[str, str], list[ev.Sentence]] = defaultdict(list)
    for event in events:
        if isinstance(event, ev.ReplyEnded):
            replies[event.provider, event.model].append(event)
        elif isinstance(event, ev.Sentence):
            sentences[event.voice.provider, event.voice.name].append(event)
    return Usage(
        llm=tuple(
            ModelUsage(
                provider=provider,
                model=model,
                replies=len(some),
                input_tokens=sum(reply.input_tokens for reply in some),
                output_tokens=sum(reply.output_tokens for reply in some),
            )
            for (provider, model), some in sorted(replies.items())
        ),
        tts=tuple(
            VoiceUsage(
                provider=provider,
                voice=voice,
                sentences=len(spoken),
                characters=sum(len(sentence.text) for sentence in spoken),
            )
            for (provider, voice), spoken in sorted(sentences.items())
        ),
        call_ms=call_ms,
    )
