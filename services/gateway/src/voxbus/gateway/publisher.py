"""A call's events to its log, in the order in which they were decided."""

from __future__ import annotations

import asyncio
from typing import Final

from voxbus.common.bus import Bus
from voxbus.common.errors import BusClosed, BusError, BusUnavailable, Conflict
from voxbus.common.events import Event
from voxbus.common.logs import Log, get_logger
from voxbus.gateway import metrics

#: The bus may refuse at once, without a moment in which anything else could run.
RETRY_S: Final = 0.5
#: Events of calls that are over, in all: some thousand calls, and 10 MB.
MAX_UNSENT: Final = 10_000


class Publisher:
    """``put`` never waits. What the bus cannot take now is tried again until ``close``. ``waiting``: so many events."""

    def __init__(self, bus: Bus, log: Log) -> None:
        self._bus = bus
        self._log = log
        self._queue: asyncio.Queue[Event] = asyncio.Queue()
        self._task = asyncio.create_task(self._run(), name="publish a call's events")
        self.waiting = 0

    def put(self, event: Event) -> None:
        self.waiting += 1
        self._queue.put_nowait(event)

    async def flush(self, timeout_s: float | None) -> bool:
        """Waits until everything is stored; False when that did not come to pass in time."""
        try:
            await asyncio.wait_for(self._queue.join(), timeout_s)
        except TimeoutError:
            self._log.warning("events were not stored in time", waiting=self.waiting)
            return False
        return True

    @property
    def closed(self) -> bool:
        return self._task.done()

    async def close(self) -> None:
        """What waits is lost, and counted."""
        self._task.cancel()
        await asyncio.wait((self._task,))
        if self.waiting:
            self._log.error("events lost", events=self.waiting)
            metrics.EVENTS_LOST.inc(self.waiting)
            self.waiting = 0

    async def _run(self) -> None:
        while True:
            event = await self._queue.get()
            await self._store(event)
            self.waiting -= 1
            self._queue.task_done()

    async def _store(self, event: Event) -> None:
        while True:
            try:
                await self._bus.append(event)
            except Conflict:
                self._log.debug("event was in the log already", kind=event.kind)
            except BusClosed as error:
                self._lost(event, error)
            except BusUnavailable as error:
                self._log.warning("event not stored yet", kind=event.kind, error=error)
                await asyncio.sleep(RETRY_S)
                continue
            except BusError as error:
                self._lost(event, error)
            return

    def _lost(self, event: Event, error: BusError) -> None:
        self._log.error("event lost", kind=event.kind, error=error)
        metrics.EVENTS_LOST.inc()


class Unsent:
    """What calls that are over still have to say: their log must have it, however long the bus is away.

    Kept until ``drain``, and no more than MAX_UNSENT events.
    """

    def __init__(self) -> None:
        self._kept: dict[Publisher, asyncio.Task[None]] = {}
        self._log = get_logger(__name__)

    @property
    def events(self) -> int:
        return sum(publisher.waiting for publisher in self._kept)

    async def keep(self, publisher: Publisher) -> None:
        """From here on the publisher is ours: it is closed when everything is stored."""
        if not publisher.waiting or self.events + publisher.waiting > MAX_UNSENT:
            await publisher.close()
            return
        self._kept[publisher] = asyncio.create_task(
            self._see_to(publisher), name="store what is left of a call"
        )
        metrics.EVENTS_UNSENT.set(self.events)

    async def _see_to(self, publisher: Publisher) -> None:
        try:
            await publisher.flush(None)
        finally:
            await publisher.close()
            del self._kept[publisher]
            metrics.EVENTS_UNSENT.set(self.events)

    async def drain(self, timeout_s: float) -> None:
        """Waits so long; what is not stored then is lost, and said to be."""
        tasks = tuple(self._kept.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=timeout_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
