"""Dead air: nothing comes although a reply is due.

First a filler ("One moment."), then the fallback line, each once a reply. The clips are rendered ahead in the agent's
voice; a missing one leaves silence, which is counted.
"""

from __future__ import annotations

from typing import Literal

from voxbus.common.codec import AudioOut
from voxbus.gateway.core_playout.lines import Line, Reply
from voxbus.gateway.core_playout.timing import Timing

Kind = Literal["filler", "fallback"]
_ORDER: tuple[Kind, ...] = ("filler", "fallback")


def overdue(reply: Reply, silent_since_ms: float, now_ms: float, timing: Timing) -> Kind | None:
    """Which clip is to be played now, if any."""
    if reply.filled >= len(_ORDER) or reply.held or reply.over:
        return None
    kind = _ORDER[reply.filled]
    # After the filler silence counts anew, and what is left until the fallback is less.
    wait = timing.dead_air if kind == "filler" else timing.give_up - timing.dead_air
    return kind if now_ms - max(silent_since_ms, reply.asked_ms) >= wait else None


def clip_line(turn: int, index: int, audio: bytes, now_ms: float) -> Line:
    """A clip as a line of its own, complete from the beginning. It stands where the sentence ``index`` will."""
    line = Line(turn, index, "", 165, True, now_ms)
    line.audio.add(AudioOut(turn, 0, index, 0, 0, True, 0.0, audio), now_ms)
    return line
