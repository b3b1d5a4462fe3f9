"""How long the player waits for audio that does not come."""

from __future__ import annotations

from voxbus.gateway.core_playout.lines import Line, Reply
from voxbus.gateway.core_playout.timing import Timing


def gave_up(reply: Reply, line: Line, dry_since_ms: float, now_ms: float, timing: Timing) -> bool:
    """Nothing more of ``line`` can be sent now, and since ``dry_since_ms`` nothing sounds.

    True when something was given up, so that sending can go on: a hole was jumped, or the line was closed.
    """
    audio = line.audio
    if audio.hole_ms is not None:
        if now_ms - audio.hole_ms < timing.gap:
            return False
        audio.skip_hole(now_ms)
        return True
    following = reply.lines.get(line.index + 1)
    next_is_here = following is not None and following.audio.received > 0
    if not next_is_here and not audio.received:
        return False  # nothing to gain: dead air is the guard's matter, and a new worker may still come
    dry_ms = now_ms - max(dry_since_ms, audio.arrived_ms, line.known_ms)
    patience = timing.close if next_is_here and audio.received else timing.missing
    if dry_ms < patience:
        return False
    audio.close()
    return True
