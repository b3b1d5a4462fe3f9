"""The fixed lines of an agent, rendered ahead by voices that fail: what is there, in whose voice, and when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import cast

import pytest

from voxbus.common.agents import Agent, Lines, Voice
from voxbus.common.bus import Bus
from voxbus.common.clips import clip_key
from voxbus.common.errors import ProviderError
from voxbus.tts.clips import Clips
from voxbus.tts.core_lines import sentences_to_render
from voxbus.tts.providers import Provider
from voxbus.tts.speaker import Speaker

AGENT = Agent(name="clinic", prompt="p", lines=Lines(greeting="Hello there.", fallback="Sorry, once more?"))
LINES = sentences_to_render(AGENT)
IDENTITY = "one | two"


class Vendor:
    """Says its own name, unless it fails. ``cause``: of that."""

    def __init__(self, name: str, cause: str = "") -> None:
        self.name = name
        self.cause = cause
        self.asked = 0

    def resolve(self, voice: Voice) -> Voice | None:
        return voice.model_copy(update={"provider": self.name, "name": voice.name or "standard"})

    def spares(self, _voice: Voice) -> list[Voice]:
        return []

    async def speak(
        self, text: str, voice: Voice, *, background: bool = False
    ) -> AsyncGenerator[bytes, None]:
        self.asked += 1
        if self.cause:
            raise ProviderError(self.cause, retry=self.cause == "rate_limited")
        yield self.name.encode()


class Bench:
    """Two voices; the first is the agent's."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.one, self.two = Vendor("one"), Vendor("two")
        self.clips = Clips(bus)
        providers = {vendor.name: cast(Provider, vendor) for vendor in (self.one, self.two)}
        self._speaker = Speaker(providers, self.clips, self._nothing)

    async def _nothing(self, _sentence: object) -> None:
        return None

    async def start(self) -> None:
        await self.bus.agents.put(AGENT.name, AGENT.model_dump_json().encode())
        await self.clips.start(self._speaker.render, IDENTITY)

    async def stored(self) -> list[bytes | None]:
        return [await self.bus.clips.get(clip_key(AGENT.voice, text)) for text in LINES]

    async def until_stored(self, audio: bytes) -> None:
        async with asyncio.timeout(30):
            while await self.stored() != [audio] * len(LINES):
                await asyncio.sleep(0.02)

    async def identity(self) -> bytes | None:
        return await self.bus.clips.get(f"identity.{AGENT.name}")


@pytest.fixture
async def bench(bus: Bus) -> AsyncIterator[Bench]:
    bench = Bench(bus)
    yield bench
    await bench.clips.close()


@pytest.mark.parametrize("cause", ["auth", "quota", "not_found", "no_audio", "rate_limited", "connection"])
async def test_a_line_that_its_voice_cannot_say_is_said_by_another_one(bench: Bench, cause: str) -> None:
    bench.one.cause = cause
    await bench.start()
    await bench.until_stored(b"two")
    assert await bench.clips.line(AGENT, AGENT.lines.fallback) == b"two"
    assert not bench.clips.complete.is_set()
    assert await bench.identity() != IDENTITY.encode()
    # A sentence of a call is asked of the agent's own voice first.
    assert bench.clips.get(AGENT.voice, LINES[0]) is None


async def test_a_voice_that_is_mended_says_its_lines_itself(bench: Bench) -> None:
    bench.one.cause = "auth"
    await bench.start()
    await bench.until_stored(b"two")
    others = bench.two.asked
    bench.one.cause = ""
    await bench.until_stored(b"one")
    await asyncio.wait_for(bench.clips.complete.wait(), 30)
    assert await bench.identity() == IDENTITY.encode()
    assert bench.clips.get(AGENT.voice, LINES[0]) == b"one"
    assert bench.two.asked == others


@pytest.mark.parametrize("cause", ["auth", "rate_limited"])
async def test_what_no_voice_could_say_is_rendered_when_one_can(bench: Bench, cause: str) -> None:
    bench.one.cause = bench.two.cause = cause
    await bench.start()
    async with asyncio.timeout(30):
        while not (bench.one.asked and bench.two.asked):
            await asyncio.sleep(0.02)
    bench.two.cause = ""
    await bench.until_stored(b"two")
    bench.one.cause = ""
    await asyncio.wait_for(bench.clips.complete.wait(), 30)
    assert await bench.stored() == [b"one"] * len(LINES)


async def test_what_another_voice_said_is_not_taken_for_the_agents_own(bench: Bench) -> None:
    """By a worker that finds it, and knows only by whom the agent's lines were rendered at last."""
    await bench.start()
    await asyncio.wait_for(bench.clips.complete.wait(), 30)
    await bench.clips.close()
    later = Bench(bench.bus)
    later.one.cause = "auth"
    longer = AGENT.model_copy(
        update={"lines": AGENT.lines.model_copy(update={"goodbye": "Until next time."})}
    )
    await later.start()
    await later.bus.agents.put(AGENT.name, longer.model_dump_json().encode())
    async with asyncio.timeout(30):
        while await later.clips.line(longer, "Until next time.") != b"two" or await later.identity():
            await asyncio.sleep(0.02)
    await later.clips.close()
