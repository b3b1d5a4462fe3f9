"""A line that no frames come from any more ends its call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from voxbus.common.bus import Bus
from voxbus.common.errors import BusError
from voxbus.common.fold import CallState
from voxbus.common.logs import get_logger
from voxbus.stt.outbox import end_lost

log = get_logger(__name__)

#: The longest that a caller's line may be silent (no frames at all) before the call is taken for lost.
LINE_LOST_S: Final = 15.0


class LineWatch:
    """``heard_at_s``: when the last frame came; set by whoever takes them. ``on_ended``: the call had ended already.

    Frames come over the bus: while that is away nothing is known of the line, and it has all its time again after it.
    """

    def __init__(
        self, bus: Bus, sid: str, state: CallState, on_ended: Callable[[], None], now_s: float
    ) -> None:
        self.heard_at_s = now_s
        self._bus = bus
        self._sid = sid
        self._state = state
        self._on_ended = on_ended
        self._ending: asyncio.Task[None] | None = None

    def look(self, now_s: float) -> None:
        """Called now and then, on the clock of ``heard_at_s``. Waits for nothing."""
        if not self._bus.connected:
            self.heard_at_s = now_s
        if now_s - self.heard_at_s < LINE_LOST_S or self._ending is not None:
            return
        self.heard_at_s = now_s
        self._ending = asyncio.create_task(self._end(), name="end a lost call")

    async def _end(self) -> None:
        try:
            if not await end_lost(self._bus, self._sid, self._state):
                self._on_ended()
        except BusError as error:
            # The bus went away just now; where the line is still silent when it has been back for a while, again.
            log.warning("a lost call was not ended", call_sid=self._sid, error=error)
        finally:
            self._ending = None

    async def close(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
            await asyncio.gather(self._ending, return_exceptions=True)
