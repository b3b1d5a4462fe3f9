"""What the person on the line has in the hand: a mouthpiece, an earpiece and keys.

A party (a script, as a rule) speaks and listens through it; the call moves it one frame of 20 ms at a time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from voxbus.common.audio import FRAME_BYTES, FRAME_MS, Pcm
from voxbus.devkit.carrier.core_ear import Ear
from voxbus.devkit.carrier.core_tones import DIGITS, tone
from voxbus.devkit.carrier.plan import Detection
from voxbus.devkit.carrier.recording import Recording

_SILENCE = np.zeros(FRAME_BYTES, dtype=np.int16)


class LineEnded(Exception):
    """The call is over, and the party still wanted something of it."""


class Party(Protocol):
    async def talk(self, handset: Handset) -> None:
        """Holds the call. When it returns, the party hangs up. LineEnded comes out of it when the call ends first."""


@runtime_checkable
class Detectable(Protocol):
    """A party that answering-machine detection can be asked about."""

    async def verdict(self, mode: Detection) -> str:
        """Who answered, in the carrier's words, as soon as it would know."""


@dataclass(frozen=True)
class Spoken:
    """Frames of the recording, the last one included."""

    first_frame: int
    last_frame: int

    @property
    def start_ms(self) -> int:
        return self.first_frame * FRAME_MS

    @property
    def end_ms(self) -> int:
        return (self.last_frame + 1) * FRAME_MS


class Handset:
    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.ear = Ear()
        self.over = asyncio.Event()
        self.hung_up = asyncio.Event()
        self._mouth: deque[Pcm] = deque()
        self._tone: deque[Pcm] = deque()
        self._keys: list[str] = []
        self._stall_ms = 0.0
        self._waiting: list[asyncio.Future[None]] = []

    # The party's side.

    async def frame(self) -> None:
        """Until the next frame has crossed the line. Raises LineEnded."""
        if self.over.is_set():
            raise LineEnded
        tick: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(tick)
        await tick
        if self.over.is_set():
            raise LineEnded

    async def speak(self, audio: Pcm) -> Spoken:
        """Speaks ``audio`` (8 kHz) and returns when its last frame was sent. Raises LineEnded."""
        frames = -(-len(audio) // FRAME_BYTES)
        padded = np.zeros(frames * FRAME_BYTES, dtype=np.int16)
        padded[: len(audio)] = audio
        first = self.recording.frames + len(self._mouth)
        self._mouth.extend(padded.reshape(frames, FRAME_BYTES))
        last = first + frames - 1
        while self.recording.frames <= last:
            await self.frame()
        return Spoken(first, last)

    def press(self, digit: str) -> None:
        """The carrier hears it with the next frame."""
        if digit not in DIGITS:
            raise ValueError("a telephone has the keys 0-9, *, #, A-D")
        self._keys.append(digit)

    def stall(self, ms: float) -> None:
        """After the next frame nothing crosses the line for so long; what should have follows then, all at once."""
        self._stall_ms = ms

    def hang_up(self) -> None:
        self.hung_up.set()

    # The call's side.

    def stalled_ms(self) -> float:
        """How long the line is to stand still now."""
        ms, self._stall_ms = self._stall_ms, 0.0
        return ms

    def next_frame(self) -> Pcm:
        """What the mouthpiece gives in this frame: what is said, and under a tone nothing of it."""
        said = self._mouth.popleft() if self._mouth else _SILENCE
        return self._tone.popleft() if self._tone else said

    def pressed(self, *, audible: bool) -> list[str]:
        """The keys of this frame, to be asked for before its audio. ``audible``: their tones begin with it."""
        keys, self._keys = self._keys, []
        if audible:
            for key in keys:
                self._tone.extend(tone(key).reshape(-1, FRAME_BYTES))
        return keys

    def heard(self, frame: Pcm) -> None:
        """The frame is over; ``frame`` is what the earpiece gave."""
        self.ear.hear(frame)
        self._wake()

    def end(self) -> None:
        self.over.set()
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for tick in waiting:
            if not tick.done():  # whoever waited may have been cancelled
                tick.set_result(None)
