"""Recognition processes, shared by all calls of the worker: one segment in each at a time.

idle --recognize--> busy --answer--> idle
                     | died, hung, or said what it was not asked: killed --> another is started in its place

A search is never broken off, whoever hangs up meanwhile: its process is busy until it has answered.
"""

from __future__ import annotations

import asyncio
from typing import Final

from voxbus.common.children.crew import Crew
from voxbus.common.errors import ProviderError
from voxbus.common.logs import get_logger
from voxbus.common.telemetry import counter
from voxbus.stt.providers.pocketsphinx.process import Process
from voxbus.stt.providers.pocketsphinx.wire import Grammar, Recognized

log = get_logger(__name__)

_REPLACED = counter("stt_recognition_processes_replaced", "Recognition processes that died or hung.")

#: How long words may wait for a process: the caller has heard nothing for so long, and is asked again.
_WAIT_S: Final = 10.0
#: A grammar is learnt by all processes ahead of need; those of ended calls stay, agents are few.
_MAX_GRAMMARS: Final = 64


class Pool:
    """``size`` processes. A request waits for the first that is free, in the order of asking."""

    def __init__(self, size: int) -> None:
        self._crew = Crew(size, Process.start, self._ready)
        self._idle: asyncio.Queue[Process] = asyncio.Queue()
        self._grammars: dict[str, Grammar] = {}

    @property
    def processes(self) -> set[Process]:
        return self._crew.processes

    async def start(self) -> None:
        """Raises ProviderError ``unavailable`` when a process does not come up."""
        await self._crew.start()

    def _ready(self, process: Process) -> None:
        for grammar in self._grammars.values():
            process.learn(grammar)
        self._idle.put_nowait(process)

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
        try:
            async with asyncio.timeout(_WAIT_S):
                process = await self._idle.get()
        except TimeoutError:
            raise ProviderError("unavailable", "no recognition process is free", retry=False) from None
        search = self._crew.run(self._search(process, grammar, audio))
        await asyncio.wait((search,))  # unlike `await search`, this does not cancel it when we are cancelled
        return search.result()

    async def _search(self, process: Process, grammar: Grammar, audio: bytes) -> Recognized:
        """Gives the process back once it has answered."""
        try:
            return await process.recognize(grammar, audio)
        finally:
            if process.alive:
                self._idle.put_nowait(process)
            else:
                _REPLACED.inc()
                log.warning("recognition process replaced", pid=process.pid)
                self._crew.replace(process)

    async def close(self) -> None:
        await self._crew.close()
