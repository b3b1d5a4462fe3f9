"""The policy of delivery: when to try, and what an answer means. Pure.

attempt      1     2     3      4
waits        0 s   1 s   4 s    16 s    then the report is lost, loudly
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

DELAYS_S: Final = (0.0, 1.0, 4.0, 16.0)

#: 4xx that another attempt may cure: timeout, conflict with a twin in flight, too early, too many.
#: RFC 9110 (15.5), RFC 8470 (425), RFC 6585 (429).
_RETRY_4XX: Final = (408, 409, 425, 429)

Verdict = Literal["delivered", "retry", "final"]


@dataclass(frozen=True)
class Answer:
    """What came of one attempt: an HTTP ``status``, or ``error``, the kind of failure when there was no answer."""

    status: int = 0
    error: str = ""

    @property
    def verdict(self) -> Verdict:
        if 200 <= self.status < 300:
            return "delivered"
        # Whoever refuses what we say will refuse it again; whoever could not listen may listen later. A redirect is
        # no refusal: a signed body is not taken elsewhere, but a misplaced proxy may be put right.
        return "final" if 400 <= self.status < 500 and self.status not in _RETRY_4XX else "retry"

    def __str__(self) -> str:
        return f"HTTP {self.status}" if self.status else self.error


def delay_before(attempt: int) -> float | None:
    """How long to wait before ``attempt`` (1 = the first); None: there is no such attempt."""
    return DELAYS_S[attempt - 1] if attempt <= len(DELAYS_S) else None
