"""A call's events to its log, in the order in which they were decided."""

from __future__ import annotations

import asyncio
from typing import Final

from voxbus.common.bus import Bus
from voxbus.common.errors import BusClosed, BusError, BusUnavailable, Conflict
from voxbus.common.events import Event
from voxbus.common.logs import Log

#: The bus may refuse at once, without a moment in which anything else could run.
RETRY_S: Final = 0.5


class Publisher:
    """``put`` never waits. What the bus cannot take now is tried again for as long as the call lasts."""

    def __init__(self, bus: Bus, log: Log) -> None:
        self._bus = bus
        self._log = log
        self._queue: asyncio.Queue[Event] = asyncio.Queue()
        self._task = asyncio.create_task(self._run(), name="publish a call's events")

    def put(self, event: Event) -> None:
        self._queue.put_nowait(event)

    async def flush(self, timeout_s: float) -> bool:
        """Waits until everything is stored; False when that did not come to pass in time."""
        try:
            await asyncio.wait_for(self._queue.join(), timeout_s)
        except TimeoutError:
            self._log.error("events were not stored in time", waiting=self._queue.qsize())
            return False
        return True

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait((self._task,))

    async def _run(self) -> None:
        while True:
            event = await self._queue.get()
            try:
                await self._store(event)
            finally:
                self._queue.task_done()

    async def _store(self, event: Event) -> None:
        while True:
            try:
                await self._bus.append(event)
            except Conflict:
                self._log.debug("event was in the log already", kind=event.kind)
            except BusClosed as error:
                self._log.error("event lost", kind=event.kind, error=error)
            except BusUnavailable as error:
                self._log.warning("event not stored yet", kind=event.kind, error=error)
                await asyncio.sleep(RETRY_S)
                continue
            except BusError as error:
                self._log.error("event refused", kind=event.kind, error=error)
            return
