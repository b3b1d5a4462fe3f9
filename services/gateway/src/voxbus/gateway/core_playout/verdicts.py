"""The events that say what was heard."""

from __future__ import annotations

from typing import Literal

from voxbus.common.audio import ms_of
from voxbus.common.events import Continued, Heard, Interrupted, Paused
from voxbus.gateway.core_playout.lines import Line, Reply

KnownBy = Literal["mark", "clock", ""]
"""How it is known that all of a sentence was played; "" = it was not."""


def response_ms(reply: Reply, line: Line) -> float:
    """From the caller's last speech to the first agent frame; a reply has it once, with its first sentence."""
    return max(0.0, line.first_ms - reply.spoke_ms) if line.index == 0 and line.runs else 0.0


def heard(call: str, stream_sid: str, reply: Reply, line: Line, now_ms: float, known_by: KnownBy) -> Heard:
    """The verdict on one sentence: all of it, or as much as the clock says."""
    complete = known_by != ""
    played = line.audio.received if complete else line.played(now_ms)
    return Heard(
        call=call,
        stream_sid=stream_sid,
        turn=reply.turn,
        attempt=reply.attempt,
        sentence=line.index,
        complete=complete,
        played_ms=round(ms_of(played)),
        text=line.text if complete else line.heard_text(now_ms),
        known_by=known_by or "clock",
        synthesis_ms=line.audio.synthesis_ms,
        response_ms=response_ms(reply, line),
        underrun_ms=line.underrun_ms,
    )


def interrupted(call: str, stream_sid: str, reply: Reply, now_ms: float) -> Interrupted:
    """The first sentence without a verdict is the one that was cut; after the last one, nothing of the next."""
    cut = next(reply.unsettled(), None)
    if cut is None:
        index, played, text, response = len(reply.lines), 0, "", 0.0
    else:
        index, played = cut.index, cut.played(now_ms)
        text, response = cut.heard_text(now_ms), response_ms(reply, cut)
    return Interrupted(
        call=call,
        stream_sid=stream_sid,
        turn=reply.turn,
        attempt=reply.attempt,
        sentence=index,
        played_ms=round(ms_of(played)),
        text=text,
        response_ms=response,
    )


def paused(
    call: str,
    stream_sid: str,
    reply: Reply,
    cut: Line | None,
    media_ms: int,
    now_ms: float,
    reaction_ms: float,
) -> Paused:
    """``cut``: the sentence that stands still; None between two."""
    return Paused(
        call=call,
        stream_sid=stream_sid,
        turn=reply.turn,
        sentence=reply.cursor if cut is None else cut.index,
        played_ms=0 if cut is None else round(ms_of(cut.played(now_ms))),
        media_ms=media_ms,
        reaction_ms=max(0.0, reaction_ms),
    )


def continued(event: Paused, reply: Reply) -> Continued:
    """Carries the media time of its ``paused``: the two belong together."""
    return Continued(
        call=event.call,
        stream_sid=event.stream_sid,
        turn=event.turn,
        sentence=reply.cursor,
        media_ms=event.media_ms,
    )
