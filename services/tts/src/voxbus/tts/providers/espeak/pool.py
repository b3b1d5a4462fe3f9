"""Synthesis processes, shared by all sentences of the worker: one sentence in each at a time.

idle --speak--> busy --end--> idle
                 | abandoned: cancelled, its rest read and dropped --> idle
                 | died, or silent for too long: killed --> another is started in its place
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator
from typing import Final

from voxbus.common.children.crew import Crew
from voxbus.common.errors import ProviderError
from voxbus.common.logs import get_logger
from voxbus.common.telemetry import counter
from voxbus.tts.providers.espeak.process import Process
from voxbus.tts.providers.espeak.wire import Hello

log = get_logger(__name__)

_REPLACED = counter(
    "tts_synthesis_processes_replaced", "Synthesis processes that died or hung, by which.", "how"
)

#: How long a sentence waits for a process before another worker had better take it.
_WAIT_S: Final = 2.0


class Pool:
    """``size`` processes. Live sentences come before background ones, and stop one if no process is free."""

    def __init__(self, size: int) -> None:
        self._crew = Crew(size, Process.start, self._offer)
        self._idle: list[Process] = []
        self._in_background: list[Process] = []
        self._waiting: deque[asyncio.Future[Process]] = deque()
        self._waiting_background: deque[asyncio.Future[Process]] = deque()

    @property
    def processes(self) -> set[Process]:
        return self._crew.processes

    async def start(self) -> Hello:
        """Raises ProviderError ``unavailable`` when a process does not come up."""
        await self._crew.start()
        return next(iter(self.processes)).hello

    async def speak(
        self, text: str, voice: str, rate: int, pitch: int, *, background: bool = False
    ) -> AsyncGenerator[bytes, None]:
        process = await self._take(background)
        try:
            async with contextlib.aclosing(process.speak(text, voice, rate, pitch)) as audio:
                async for data in audio:
                    yield data
        finally:
            self._give_back(process)

    async def _take(self, background: bool) -> Process:
        while self._idle:
            process = self._idle.pop()
            if process.alive:
                if background:
                    self._in_background.append(process)
                return process
            self._replace(process, "crashed")
        return await self._wait(background)

    async def _wait(self, background: bool) -> Process:
        if not background and len(self._waiting) < len(self._in_background):
            self._in_background[len(self._waiting)].cancel()
        waiting = self._waiting_background if background else self._waiting
        free: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
        waiting.append(free)
        try:
            async with asyncio.timeout(None if background else _WAIT_S):
                process = await free
        except BaseException as error:
            if free in waiting:
                waiting.remove(free)
            elif free.done() and not free.cancelled():  # it came, but we are being cancelled
                self._offer(free.result())
            if isinstance(error, TimeoutError):
                raise ProviderError("unavailable", "no synthesis process is free") from None
            raise
        if background:
            self._in_background.append(process)
        return process

    def _give_back(self, process: Process) -> None:
        if process in self._in_background:
            self._in_background.remove(process)
        if not process.alive:
            self._replace(process, "crashed")
        elif process.busy:
            process.cancel()
            self._crew.run(self._settle(process))
        else:
            self._offer(process)

    async def _settle(self, process: Process) -> None:
        try:
            await process.settle()
        except ProviderError as error:
            self._replace(process, error.cause)
        else:
            self._offer(process)

    def _offer(self, process: Process) -> None:
        for waiting in (self._waiting, self._waiting_background):
            while waiting:
                free = waiting.popleft()
                if not free.done():
                    free.set_result(process)
                    return
        self._idle.append(process)

    def _replace(self, process: Process, how: str) -> None:
        _REPLACED.labels(how).inc()
        log.warning("synthesis process replaced", how=how, pid=process.pid)
        self._crew.replace(process)

    async def close(self) -> None:
        await self._crew.close()
