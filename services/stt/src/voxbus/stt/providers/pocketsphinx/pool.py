"""Recognition processes, shared by all calls of the worker: one segment in each at a time.

idle --recognize--> busy --answer--> idle
                     | died, hung, or said what it was not asked: killed --> another is started in its place

A search is never broken off, whoever hangs up meanwhile: its process is busy until it has answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from voxbus.common.errors import ProviderError
from voxbus.common.logs import get_logger
from voxbus.common.restarts import Restarts
from voxbus.common.telemetry import counter
from voxbus.stt.providers.pocketsphinx.process import Process
from voxbus.stt.providers.pocketsphinx.wire import Grammar, Recognized

log = get_logger(__name__)

_REPLACED = counter("stt_recognition_processes_replaced", "Recognition processes that died or hung.")

T = TypeVar("T")

#: A grammar is learnt by all processes ahead of need; those of ended calls stay, agents are few.
_MAX_GRAMMARS: Final = 64


class Pool:
    """``size`` processes. A request waits for the first that is free, in the order of asking."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.processes: set[Process] = set()
        self._idle: asyncio.Queue[Process] = asyncio.Queue()
        self._grammars: dict[str, Grammar] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._restarts = Restarts()
        self._closed = False

    async def start(self) -> None:
        """Raises ProviderError ``unavailable`` when a process does not come up."""
        for process in await asyncio.gather(*(Process.start() for _ in range(self.size))):
            self._add(process)

    def learn(self, grammar: Grammar) -> None:
        """It will be asked for soon: processes build it when they have nothing else to do."""
        self._grammars.pop(grammar.key, None)
        self._grammars[grammar.key] = grammar
        if len(self._grammars) > _MAX_GRAMMARS:
            del self._grammars[next(iter(self._grammars))]
        for process in self.processes:
            process.learn(grammar)

    async def recognize(self, grammar: Grammar, audio: bytes) -> Recognized:
        """Asks a second process when the first dies of it. Raises ProviderError."""
        try:
            return await self._ask(grammar, audio)
        except ProviderError as error:
            if not error.retry:
                raise
            return await self._ask(grammar, audio)

    async def _ask(self, grammar: Grammar, audio: bytes) -> Recognized:
        process = await self._idle.get()
        search = self._run(self._search(process, grammar, audio), name="pocketsphinx search")
        await asyncio.wait((search,))  # unlike `await search`, this does not cancel it when we are cancelled
        return search.result()

    async def _search(self, process: Process, grammar: Grammar, audio: bytes) -> Recognized:
        """Gives the process back once it has answered. In a task of its own, which only ``close`` cancels."""
        try:
            return await process.recognize(grammar, audio)
        finally:
            if process.alive:
                self._idle.put_nowait(process)
            else:
                self._replace(process)

    def _add(self, process: Process) -> None:
        self.processes.add(process)
        for grammar in self._grammars.values():
            process.learn(grammar)
        self._idle.put_nowait(process)

    def _replace(self, process: Process) -> None:
        if self._closed:
            return
        self.processes.discard(process)
        process.kill()
        self._restarts.died(process.age_s)
        _REPLACED.inc()
        log.warning("recognition process replaced", pid=process.pid)
        self._run(self._restart(process), name="pocketsphinx pool")

    async def _restart(self, dead: Process) -> None:
        await dead.close()
        while True:
            await asyncio.sleep(self._restarts.wait_s)
            try:
                self._add(await Process.start())
            except (ProviderError, OSError) as error:
                self._restarts.died(0)
                log.error("no recognition process", error=error)
            else:
                return

    def _run(self, work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ran)
        return task

    def _ran(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # told to whoever still waits for it

    async def close(self) -> None:
        self._closed = True
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(process.close() for process in self.processes))
        self.processes.clear()
