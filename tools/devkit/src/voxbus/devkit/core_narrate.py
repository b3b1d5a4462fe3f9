"""Events of a call as lines for a person to read. Pure: an event goes in, text comes out.

Numbers and words of the caller are shown as they are: this is for the operator's own terminal, never for a log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from voxbus.common import events as ev
from voxbus.common.events import Event

Who = Literal["gateway", "stt", "llm", "reporter"]

#: Who publishes what. ``ended`` may come from the holder in STT as well.
PUBLISHERS: Mapping[type[Event], Who] = {
    **dict.fromkeys((ev.Started, ev.Resumed, ev.Heard, ev.Paused, ev.Continued, ev.Interrupted), "gateway"),
    **dict.fromkeys((ev.Dtmf, ev.Status, ev.Disconnected, ev.Ended), "gateway"),
    **dict.fromkeys((ev.RecordingStarted, ev.RecordingEnded), "gateway"),
    **dict.fromkeys((ev.Attached, ev.SpeechStarted, ev.BargeIn, ev.Utterance), "stt"),
    **dict.fromkeys((ev.UtteranceConfirmed, ev.UtteranceWithdrawn), "stt"),
    **dict.fromkeys((ev.Sentence, ev.ReplyEnded, ev.ToolCalled, ev.ToolReturned), "llm"),
    **dict.fromkeys((ev.HangupRequested, ev.TransferRequested, ev.DoNotCallRequested), "llm"),
    **dict.fromkeys((ev.ReportDelivered, ev.ReportLost), "reporter"),
}


def narrate(event: Event) -> str:
    """One line, without time and publisher."""
    match event:
        case ev.Started():
            numbers = f" from {event.from_number} to {event.to_number}" if event.from_number else ""
            return f"{event.direction} call{numbers}, agent {event.agent.name}"
        case ev.Resumed():
            return "the call is back on another stream"
        case ev.RecordingStarted():
            return f"recorded from here on: {event.place}"
        case ev.RecordingEnded():
            lost = f", {event.lost_ms} ms lost: {event.cause}" if event.cause else ""
            return f"{event.length_ms} ms were recorded{lost}"
        case ev.Disconnected():
            return f"the media stream is gone (close code {event.code})"
        case ev.Ended():
            return f"the call is over: {_words(event.reason)}{_more(event.detail)}"
        case ev.Status():
            return f"carrier: {event.answered_by or event.status}"
        case ev.Dtmf():
            return f"key {event.digit}"
        case ev.Heard() | ev.Interrupted() | ev.Paused() | ev.Continued():
            return _playout(event)
        case ev.Attached():
            return f"worker {event.worker} holds the call"
        case ev.SpeechStarted():
            return "speech over the agent" if event.over_agent else "speech"
        case ev.BargeIn():
            return f"meant to interrupt ({event.by})"
        case ev.Utterance():
            return _utterance(event)
        case ev.UtteranceConfirmed():
            return f"turn {_turn(event)}: the guess was right"
        case ev.UtteranceWithdrawn():
            return f"turn {_turn(event)}: the caller went on, withdrawn"
        case _:
            return _reply(event)


def _utterance(event: ev.Utterance) -> str:
    if event.ended_by == "machine":
        return f"turn {_turn(event)}: a machine, and it is through"
    what = f"“{event.text}”" if event.text else f"no words ({_words(event.ended_by)})"
    if event.backchannel:
        return f"{what}, in passing"
    guess = "" if event.final else ", perhaps"
    return f"turn {_turn(event)}: {what}{guess}, after {event.endpoint_ms:.0f} ms of silence ({_words(event.ended_by)})"


def _playout(event: ev.Heard | ev.Interrupted | ev.Paused | ev.Continued) -> str:
    where = f"turn {event.turn}, sentence {event.sentence}"
    match event:
        case ev.Heard() if event.complete:
            return f"{where}: heard whole{_answered(event.response_ms)}"
        case ev.Heard() | ev.Interrupted():
            verb = "heard" if isinstance(event, ev.Heard) else "interrupted; heard"
            until = f"“{event.text}”" if event.text else "nothing"
            return f"{where}: {verb} {until} ({event.played_ms} ms){_answered(event.response_ms)}"
        case ev.Paused():
            return (
                f"{where}: held at {event.played_ms} ms, {event.reaction_ms:.0f} ms after the caller's frame"
            )
        case ev.Continued():
            return f"{where}: goes on"


def _reply(event: Event) -> str:
    match event:
        case ev.Sentence():
            fallback = f" (fallback: {event.cause})" if event.fallback else ""
            return f"turn {_turn(event)}: “{event.text}”{fallback}, ready after {event.ready_ms:.0f} ms"
        case ev.ReplyEnded():
            sentences = "1 sentence" if event.sentences == 1 else f"{event.sentences} sentences"
            return f"turn {_turn(event)}: reply {event.reason}, {sentences}{_more(event.provider)}"
        case ev.ToolCalled():
            return f"turn {_turn(event)}: calls {event.name} {event.arguments}"
        case ev.ToolReturned():
            return f"turn {_turn(event)}: {event.name} {'ok' if event.ok else 'failed'} in {event.duration_ms:.0f} ms"
        case ev.HangupRequested():
            return f"turn {_turn(event)}: wants to hang up{_more(event.reason)}"
        case ev.TransferRequested():
            return f"turn {_turn(event)}: wants to transfer to {event.target}{_more(event.reason)}"
        case ev.DoNotCallRequested():
            return f"turn {_turn(event)}: is not to be called again"
        case ev.ReportDelivered():
            return f"report delivered at attempt {event.attempts}"
        case ev.ReportLost():
            return f"report LOST after {event.attempts} attempts{_more(event.error)}"
        case _:
            return event.kind


def _turn(event: Event) -> str:
    """``3``, and ``3b`` for its second attempt."""
    turn, attempt = getattr(event, "turn", 0), getattr(event, "attempt", 0)
    return f"{turn}{chr(ord('a') + attempt)}" if attempt else str(turn)


def _answered(response_ms: float) -> str:
    return f", {response_ms:.0f} ms after the caller" if response_ms else ""


def _words(identifier: str) -> str:
    return identifier.replace("_", " ")


def _more(text: str) -> str:
    return f" ({text})" if text else ""
