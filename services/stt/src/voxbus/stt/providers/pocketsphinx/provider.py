"""PocketSphinx as a recognizer.

A stretch of speech is recognized as a whole, because short phrases are heard far better with the mean of all their
audio taken out than with a running one. That costs the turn next to nothing: the search begins as soon as the caller
may be done (``look``), and is over before the silence that ends the turn is.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import Final

from voxbus.common.agents import Agent
from voxbus.common.errors import AgentError
from voxbus.common.telemetry import histogram_ms
from voxbus.stt.providers.pocketsphinx import dictionary
from voxbus.stt.providers.pocketsphinx.pool import Pool
from voxbus.stt.providers.pocketsphinx.wire import Grammar, Recognized
from voxbus.stt.recognizer import Listener, Transcript, TurnEnds

_SEARCH = histogram_ms("stt_pocketsphinx_search", "How long the search through one stretch of speech took.")

#: A grammar's phrases are finite: what is longer than this is none of them, and not worth seconds of search.
_LONGEST_BYTES: Final = 12_000 * 8


class PocketSphinx:
    ends_turns = False

    def __init__(self, processes: int) -> None:
        self._pool = Pool(processes)

    async def start(self) -> None:
        dictionary.words()
        await self._pool.start()

    def check(self, agent: Agent) -> None:
        if not agent.grammar:
            raise AgentError(
                f"agent {agent.name} has no grammar, which pocketsphinx needs: write its `grammar` (JSGF), "
                "or name another provider in its `stt` or in STT_PROVIDERS"
            )
        if problem := dictionary.problem(agent.grammar):
            raise AgentError(f"the grammar of agent {agent.name}: {problem}")
        self._pool.learn(_grammar(agent))

    def attend(self, agent: Agent, ends: TurnEnds, listener: Listener) -> Searches:
        return Searches(self._pool, _grammar(agent), listener.on_partial)

    async def close(self) -> None:
        await self._pool.close()


def _grammar(agent: Agent) -> Grammar:
    return Grammar(hashlib.sha256(agent.grammar.encode()).hexdigest(), agent.grammar)


class Searches:
    """Of one call."""

    def __init__(self, pool: Pool, grammar: Grammar, on_partial: Callable[[str], None]) -> None:
        self._pool = pool
        self._grammar = grammar
        self._on_partial = on_partial

    async def ready(self) -> None:
        return None

    def open(self) -> Search:
        return Search(self._pool, self._grammar, self._on_partial)

    async def close(self) -> None:
        return None


class Search:
    """One stretch of speech: collected until the first look, searched again only when more speech came after it."""

    def __init__(self, pool: Pool, grammar: Grammar, on_partial: Callable[[str], None]) -> None:
        self._pool = pool
        self._grammar = grammar
        self._on_partial = on_partial
        self._audio = bytearray()
        self._looking: asyncio.Task[Recognized] | None = None
        self._cancelled = False

    def feed(self, audio: bytes) -> None:
        self._audio += audio

    def look(self) -> None:
        # A search that was begun is left to its end: its process could not be asked anything else before.
        self._looking = asyncio.create_task(self._recognize(), name="pocketsphinx look")
        self._looking.add_done_callback(self._looked)

    async def finish(self, *, looked: bool) -> Transcript:
        search = self._looking if looked and self._looking is not None else None
        self._looking = None
        recognized = await (search if search is not None else self._recognize())
        return Transcript(recognized.text, recognized.confidence)

    def cancel(self) -> None:
        self._cancelled = True
        self._looking = None
        self._audio.clear()

    def _looked(self, task: asyncio.Task[Recognized]) -> None:
        if task.cancelled() or task.exception() is not None:
            return  # finish tells
        # By now the caller may have gone on, or be done: then the newer search, or finish, tells.
        if task is not self._looking:
            return
        if text := task.result().text:
            self._on_partial(text)

    async def _recognize(self) -> Recognized:
        if not 0 < len(self._audio) <= _LONGEST_BYTES:
            return Recognized(0, "", 0.0, 0.0)
        recognized = await self._pool.recognize(self._grammar, bytes(self._audio))
        _SEARCH.observe(recognized.took_ms)
        return recognized
