"""A call that kills whoever takes it must not go round for ever."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

#: So many holders in a row, each of which lost the call within SHORT_S, are no coincidence. What kills a worker is in
#: the audio that it hears first, the replay of the turn: it dies at once, and the call is put back within a second.
#: Neither a deploy that hands calls over nor workers that are killed every few seconds look like this.
HOLDERS = 3
SHORT_S = 3.0


def is_poison(attached_s: Sequence[float], now_s: float) -> bool:
    """``attached_s``: when the holders so far took the call (Unix time, in order)."""
    lives = [end - start for start, end in pairwise([*attached_s, now_s])]
    return len(lives) >= HOLDERS and all(life < SHORT_S for life in lives[-HOLDERS:])
