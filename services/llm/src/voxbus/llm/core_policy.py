"""What to do when a provider fails in the middle of a call. Nobody waits on a phone for a retry.

    said so far           provider left   what is done
    --------------------  --------------  -----------------------------------------------------------------
    nothing               yes             the next provider answers
    nothing               no              the agent's fallback line, and the caller may speak
    part of the reply     yes             the next provider goes on after what was said
    part of the reply     no              the agent's fallback line after it
    another worker's part (takeover)      the reply ends there: what was said may have been all of it

A failure that would hit the next caller too rests the provider: a minute for a wrong key or a spent quota, a moment for
load. One that is about this reply alone (a filtered text, an empty one) does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from voxbus.common.errors import ProviderError

#: How long a provider rests after a failure, in seconds by its cause.
REST_S: Final[Mapping[str, float]] = {
    "auth": 60.0, "quota": 60.0, "not_found": 60.0,
    "rate_limited": 2.0, "overloaded": 2.0, "server_error": 2.0, "connection": 2.0, "timeout": 2.0,
    "first_token_timeout": 2.0, "stalled": 2.0,
}  # fmt: skip

Step = Literal["next", "fallback", "end"]


def after(*, said: int, taken_over: bool, left: Sequence[str]) -> Step:
    """``said``: sentences of this reply in the log. ``left``: providers that were not asked yet."""
    if taken_over and said:
        return "end"
    return "next" if left else "fallback"


@dataclass(frozen=True)
class Rest:
    """Until when which provider rests, on the monotonic clock."""

    until_s: Mapping[str, float] = field(default_factory=dict)

    def after(self, provider: str, failure: ProviderError, now_s: float) -> Rest:
        return Rest({**self.until_s, provider: now_s + REST_S.get(failure.cause, 0.0)})

    def order(self, providers: Sequence[str], now_s: float) -> tuple[str, ...]:
        """Those that rest come last, rather than never: they may be all there is."""
        return tuple(sorted(providers, key=lambda name: self.until_s.get(name, 0.0) > now_s))
