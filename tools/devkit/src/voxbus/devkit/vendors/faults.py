"""What goes wrong at a vendor, on request: the next connection or request of that vendor gets the next fault."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from typing import Final, Literal, get_args

Kind = Literal[
    "rate_limited", "overloaded", "server_error", "quota", "unauthorized", "stall", "cut", "slow", "malformed"
]
KINDS: Final[tuple[str, ...]] = get_args(Kind)

#: Those that refuse the request, or the WebSocket's handshake, and their status.
REFUSALS: Final[dict[str, int]] = {
    "rate_limited": 429,
    "overloaded": 503,
    "server_error": 500,
    "quota": 402,
    "unauthorized": 401,
}


@dataclass(frozen=True)
class Fault:
    """``after``: so many messages are sent first. ``delay_s``: of each message, where the kind is ``slow``."""

    kind: Kind
    after: int = 0
    delay_s: float = 1.0


class Faults:
    def __init__(self) -> None:
        self._next: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._always: dict[str, Fault] = {}

    def plan(self, vendor: str, *faults: Fault) -> None:
        """One each for the next connections."""
        self._next[vendor].extend(faults)

    def always(self, vendor: str, fault: Fault | None) -> None:
        """For all connections that have no fault of their own; None = they work again."""
        if fault is None:
            self._always.pop(vendor, None)
        else:
            self._always[vendor] = fault

    def take(self, vendor: str) -> Fault | None:
        waiting = self._next[vendor]
        return waiting.popleft() if waiting else self._always.get(vendor)
