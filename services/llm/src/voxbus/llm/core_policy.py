"""What to do when a provider fails in the middle of a call. Nobody waits on a phone for a retry.

    said so far           provider left   what is done
    --------------------  --------------  -----------------------------------------------------------------
    nothing               yes             the next provider answers
    nothing               no              the agent's fallback line, and the caller may speak
    part of the reply     -               the reply ends at its last whole sentence, and the caller may speak
    another worker's part (takeover)      the reply ends there: what was said may have been all of it

Who rests after a failure: ``voxbus.common.providers.breaker``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

Step = Literal["next", "fallback", "cut_off", "takeover"]


def after(*, said: int, taken_over: bool, left: Sequence[str]) -> Step:
    """``said``: sentences of this reply in the log. ``left``: providers that were not asked yet."""
    if said:
        return "takeover" if taken_over else "cut_off"
    return "next" if left else "fallback"


def first_token_s(total_s: float, spent_s: float, slow_left: int) -> float:
    """How long the next provider may take to its first token, so that all of them together stay within ``total_s``.

    Equal shares of what is left; ``slow_left``: how many models are left, the next one among them. What a provider that
    failed at once did not use is the others'. The last one has all of the rest, and each has a moment in any case: an
    instant answer is never refused.
    """
    return max((total_s - spent_s) / max(slow_left, 1), 0.1)
