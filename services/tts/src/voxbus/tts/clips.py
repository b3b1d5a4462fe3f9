"""Rendered lines: in memory for live sentences, in the bucket ``clips`` for gateways and other workers.

The fixed lines of every agent in the bucket ``agents`` are rendered ahead, in the background, sentence by sentence: so
they come in ``sentence`` events, and so gateways play them. What the agent's own voice cannot say another one does;
its own is tried again, now and then, until it has said everything.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from pydantic import ValidationError

from voxbus.common.agents import Agent, Voice
from voxbus.common.clips import clip_key
from voxbus.common.errors import BusUnavailable, ProviderError
from voxbus.common.logs import get_logger
from voxbus.common.run import background
from voxbus.common.speech import spoken
from voxbus.common.telemetry import counter
from voxbus.tts.core_lines import sentences_to_render

if TYPE_CHECKING:
    from voxbus.common.bus import Bus
    from voxbus.common.bus.buckets import Watch

log = get_logger(__name__)

_RENDERED = counter("tts_clips_rendered", "Lines that were rendered ahead of need.")

#: Half an hour of fixed lines, and as much of what was said in calls lately.
FIXED_BYTES: Final = 16 * 2**20
RECENT_BYTES: Final = 16 * 2**20
#: Until what could not be rendered is tried again; twice as long each time, up to five minutes.
_RETRY_S: Final = 1.0
_LONGEST_RETRY_S: Final = 300.0


class Rendered(NamedTuple):
    """``own``: by the voice that was asked for, and not by another in its stead."""

    audio: bytes
    own: bool


class Render(Protocol):
    async def __call__(self, text: str, voice: Voice, *, alone: bool = False) -> Rendered:
        """``alone``: no other voice may stand in. Raises ProviderError."""


class Cache:
    """Audio by key; the least recently used goes when ``max_bytes`` are full."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[str, bytes] = OrderedDict()
        self.size_bytes = 0

    def get(self, key: str) -> bytes | None:
        audio = self._entries.get(key)
        if audio is not None:
            self._entries.move_to_end(key)
        return audio

    def put(self, key: str, audio: bytes) -> None:
        self.size_bytes += len(audio) - len(self._entries.pop(key, b""))
        self._entries[key] = audio
        while self.size_bytes > self._max_bytes:
            _, oldest = self._entries.popitem(last=False)
            self.size_bytes -= len(oldest)


class Clips:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._fixed = Cache(FIXED_BYTES)
        self._recent = Cache(RECENT_BYTES)
        self._todo: dict[str, Agent] = {}
        self._stood_in: set[str] = set()  # clips in the bucket that are not in the agent's own voice
        self._changed = asyncio.Event()
        self._watch: Watch | None = None
        self._work: asyncio.Task[None] | None = None
        #: Set while every line of every agent is there, in the agent's own voice.
        self.complete = asyncio.Event()

    async def start(self, render: Render, identity: str) -> None:
        """``identity``: what renders here (provider, version, default voice).

        An agent's clips that were rendered by something else are rendered anew: its key ``identity.{agent}`` in the
        bucket says by what.
        """
        self._watch = await self._bus.agents.watch(self._on_agent)
        self._work = background(self._render_ahead(render, identity), name="render clips")

    async def close(self) -> None:
        if self._watch is not None:
            await self._watch.close()
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    def get(self, voice: Voice, text: str) -> bytes | None:
        """From memory: this is asked for every sentence."""
        key = clip_key(voice, text)
        return self._fixed.get(key) or self._recent.get(key)

    def keep(self, voice: Voice, text: str, audio: bytes) -> None:
        """What was just said whole, for when it is said again."""
        self._recent.put(clip_key(voice, text), audio)

    async def line(self, agent: Agent, text: str) -> bytes | None:
        """A whole line, from memory or from the bucket (others fill it too); None when a part is missing."""
        parts = [
            self.get(agent.voice, sentence) or await self._bus.clips.get(clip_key(agent.voice, sentence))
            for sentence in spoken(text, agent.language)
        ]
        return b"".join(part for part in parts if part) if all(parts) else None

    def _on_agent(self, name: str, definition: bytes | None) -> None:
        self._todo.pop(name, None)
        if definition is None:
            return
        try:
            self._todo[name] = Agent.model_validate_json(definition)
        except ValidationError as error:
            log.error(
                "an agent cannot be read; its lines are not rendered", agent=name, faults=error.error_count()
            )
            return
        self.complete.clear()
        self._changed.set()

    async def _render_ahead(self, render: Render, identity: str) -> None:
        pause_s = _RETRY_S
        while True:
            try:
                async with asyncio.timeout(pause_s if self._todo else None):
                    await self._changed.wait()
                pause_s = _RETRY_S
            except TimeoutError:
                pause_s = min(2 * pause_s, _LONGEST_RETRY_S)
            self._changed.clear()
            try:
                for name, agent in tuple(self._todo.items()):
                    if await self._render_agent(agent, render, identity) and self._todo.get(name) is agent:
                        del self._todo[name]
            except BusUnavailable as error:
                log.warning("lines are not rendered yet", error=error)
            if not self._todo:
                self.complete.set()

    async def _render_agent(self, agent: Agent, render: Render, identity: str) -> bool:
        """Whether its voice has said all of its lines."""
        identity_key = f"identity.{agent.name}"
        trusted = await self._bus.clips.get(identity_key) == identity.encode()
        missing = 0
        for sentence in sentences_to_render(agent):
            key = clip_key(agent.voice, sentence)
            if self._fixed.get(key) is None:
                known = trusted and key not in self._stood_in
                audio = await self._bus.clips.get(key) if known else None
                audio = audio or await self._rendered(key, sentence, agent, render)
                if audio is None:
                    missing += 1
                else:
                    self._fixed.put(key, audio)
        if missing:
            log.warning("lines are not in the agent's own voice yet", agent=agent.name, lines=missing)
        if missing and trusted:
            await self._bus.clips.put(identity_key, b"")  # no worker takes them for its own
        elif not missing and not trusted:
            await self._bus.clips.put(identity_key, identity.encode())
        return not missing

    async def _rendered(self, key: str, sentence: str, agent: Agent, render: Render) -> bytes | None:
        """None: not by the agent's own voice. What another one said is in the bucket then, for when nobody else speaks;
        a sentence of a call does without it, so that its voice is tried again."""
        try:
            audio, own = await render(sentence, agent.voice, alone=key in self._stood_in)
        except ProviderError as error:
            log.info(
                "a line of an agent is not rendered", agent=agent.name, voice=agent.voice.name, error=error
            )
            return None
        await self._bus.clips.put(key, audio)
        _RENDERED.inc()
        if own:
            self._stood_in.discard(key)
            return audio
        self._stood_in.add(key)
        return None
