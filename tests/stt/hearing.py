"""A call at a recognizer, for tests: what it was told, and how one speaks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from voxbus.common.agents import Agent, Lines
from voxbus.common.audio import mulaw_encode
from voxbus.stt.recognizer import Listener, Recognition

pytest.importorskip("voxbus.devkit.vendors", reason="the devkit simulates the vendors")

from voxbus.devkit.speech import speak

AGENT = Agent(name="a", prompt="p", lines=Lines(greeting="Hello."))
TUESDAY = "i'd like to move it to tuesday at nine"
WORKS = "yes that works"
PIECE = 256
PAUSE = b"\xff" * 8000


@dataclass
class Told:
    partials: list[str] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    lost: list[tuple[int, str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    turn: list[str] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def listener(self) -> Listener:
        return Listener(
            self.partials.append,
            self._end,
            lambda frames, why: self.lost.append((frames, why)),
            lambda error: self.failures.append(error.cause),
            on_guess=lambda text, _: self.turn.append(text),
            on_resumed=lambda: self.turn.append("resumed"),
        )

    def _end(self, confidence: float) -> None:
        self.ends.append(confidence)
        self.turn.append("ended")
        self.ended.set()


def audio(text: str) -> bytes:
    return mulaw_encode(speak(text).audio)


async def utter(recognition: Recognition, data: bytes, pace_s: float = 0.002) -> None:
    for at in range(0, len(data), PIECE):
        recognition.feed(data[at : at + PIECE])
        await asyncio.sleep(pace_s)


def plain(text: str) -> str:
    """Vendors write capitals and full stops, or none."""
    return text.lower().replace(".", "").replace(",", "")
