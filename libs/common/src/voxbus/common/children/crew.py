"""So many child processes, of which each that dies is replaced, until it is over with all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

from voxbus.common.children.process import ChildProcess
from voxbus.common.children.restarts import Restarts
from voxbus.common.errors import ProviderError
from voxbus.common.logs import get_logger

log = get_logger(__name__)

P = TypeVar("P", bound=ChildProcess[Any])
T = TypeVar("T")


class Crew(Generic[P]):
    """``start`` makes one; ``on_ready`` gets each that is up, the first ones too."""

    def __init__(self, size: int, start: Callable[[], Awaitable[P]], on_ready: Callable[[P], None]) -> None:
        self.size = size
        self.processes: set[P] = set()
        self._start = start
        self._on_ready = on_ready
        self._restarts = Restarts()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def start(self) -> None:
        """Raises ProviderError when one does not come up; then none is left."""
        starting = [asyncio.ensure_future(self._start()) for _ in range(self.size)]
        try:
            await asyncio.wait(starting)
        except asyncio.CancelledError:
            for start in starting:
                start.cancel()
            raise
        up = [start.result() for start in starting if start.exception() is None]
        if len(up) < self.size:
            await asyncio.gather(*(process.close() for process in up))
        for process in [start.result() for start in starting]:
            self._add(process)

    def _add(self, process: P) -> None:
        self.processes.add(process)
        self._on_ready(process)

    def replace(self, process: P) -> None:
        """It died, or nobody wants to ask it anything more."""
        self.processes.discard(process)
        process.kill()
        if not self._closed:
            self._restarts.died(process.age_s)
            self.run(self._restart(process))

    async def _restart(self, dead: P) -> None:
        await dead.close()
        while True:
            await asyncio.sleep(self._restarts.wait_s)
            try:
                self._add(await self._start())
            except (ProviderError, OSError) as error:
                self._restarts.died(0)
                log.error("no child process", error=error)
            else:
                return

    def run(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """In a task of its own, which only ``close`` cancels. Whoever waits for it may go away."""
        task = asyncio.create_task(work, name="child processes")
        self._tasks.add(task)
        task.add_done_callback(self._ran)
        return task

    def _ran(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # told to whoever still waits

    async def close(self) -> None:
        self._closed = True
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(process.close() for process in self.processes))
        self.processes.clear()
