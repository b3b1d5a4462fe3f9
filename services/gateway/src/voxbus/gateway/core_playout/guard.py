"""Dead air: nothing comes although a reply is due.

    caller  ####
    agent       ....filler......filler......fallback
                |<->| dead_air  |<->| refill_air
                |<--------------------->| give_up

Fillers ("One moment.") until something comes, the next one of the agent each time; then the fallback line, once. The
clips are rendered ahead in the agent's voice; a missing one leaves silence, which is counted. Nobody fills the silence
before a greeting so soon, or between two sentences, and no filler is put before a sentence that is being spoken just
then: it would only make the caller wait longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from voxbus.common.codec import AudioOut
from voxbus.gateway.core_playout.lines import Line, Reply
from voxbus.gateway.core_playout.timing import Timing

Kind = Literal["filler", "fallback"]


def overdue(reply: Reply, silent_since_ms: float, now_ms: float, timing: Timing) -> Kind | None:
    """Which clip is to be played now, if any."""
    if reply.gave_up or reply.held or reply.over:
        return None
    if any(now_ms - line.known_ms < timing.voicing for line in reply.unsettled()):
        return None
    silent_ms = now_ms - max(silent_since_ms, reply.asked_ms, reply.filled_ms)
    if now_ms - reply.asked_ms >= timing.give_up and silent_ms >= timing.breath:
        return "fallback"
    waits = reply.prompted and not reply.begun and not reply.filled
    return "filler" if silent_ms >= (timing.dead_air if waits else timing.refill_air) else None


def clip(kind: Kind, clips: Sequence[bytes], reply: Reply, now_ms: float) -> bytes:
    """What is played for it, one after the other; empty when there is nothing. Counts it."""
    reply.filled_ms = now_ms
    number = reply.turn + reply.filled if kind == "filler" else 0
    if kind == "filler":
        reply.filled += 1
    else:
        reply.gave_up = True
    return clips[number % len(clips)] if clips else b""


def clip_line(turn: int, index: int, audio: bytes, now_ms: float) -> Line:
    """A clip as a line of its own, complete from the beginning. It stands where the sentence ``index`` will."""
    line = Line(turn, index, "", 165, True, now_ms)
    line.audio.add(AudioOut(turn, 0, index, 0, 0, True, 0.0, audio), now_ms)
    return line
