"""One clock for all calls: a timer for each of them would wake the loop 50 times a second and call."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from voxbus.common.logs import get_logger

log = get_logger(__name__)

EVERY_S: Final = 0.02


class Ticking(Protocol):
    def tick(self, now_ms: float) -> None: ...

    def tick_failed(self) -> None:
        """``tick`` raised, and will not be called again."""


class Ticker:
    """Calls ``tick`` of all members every 20 ms. One that raises is told and dropped; the others go on."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._members: dict[Ticking, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def now_ms(self) -> float:
        """The monotonic clock of every time in a call."""
        return self._loop.time() * 1000

    def add(self, member: Ticking) -> None:
        self._members[member] = None
        if self._timer is None:
            self._next(self._loop.time())

    def discard(self, member: Ticking) -> None:
        self._members.pop(member, None)

    def _next(self, due: float) -> None:
        self._timer = self._loop.call_at(due + EVERY_S, self._tick, due + EVERY_S)

    def _tick(self, due: float) -> None:
        now_ms = self.now_ms()
        for member in tuple(self._members):
            try:
                member.tick(now_ms)
            except (
                Exception
            ):  # one call's fault must not stop the others' playout: it ends that call's stream
                log.exception("a call's clock failed")
                self.discard(member)
                member.tick_failed()
        self._timer = None
        if self._members:
            # Ticks that a busy loop missed are not made up for: the playout works with times, not with counts.
            self._next(max(due, self._loop.time() - EVERY_S))
