"""What the carrier recorded: both sides as they crossed the line, and what happened when.

Every time is in ms since the first frame, which is also the first sample of the recording. A frame lies at its
nominal place, 20 ms after the one before; ``late_ms`` says how far behind that the simulator itself ever was.
"""

from __future__ import annotations

import itertools
import time
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from voxbus.common.audio import FRAME_MS, HZ, Pcm
from voxbus.devkit.carrier.core_spans import Span, spans

What = Literal[
    "stream_started",  # detail: stream sid
    "stream_closed",  # by the application
    "stream_lost",  # without a closing handshake
    "stream_stopped",  # by the carrier
    "audio",  # the application sent media while nothing was queued
    "mark",  # the application sent a mark; detail: name
    "mark_returned",
    "clear",
    "pressed",  # detail: digit
]


@dataclass(frozen=True)
class Moment:
    at_ms: float
    what: What
    detail: str = ""


class Recording:
    def __init__(self) -> None:
        self._caller: list[Pcm] = []
        self._agent: list[Pcm] = []
        self._queued: list[bool] = []
        self._zero_perf_s = time.perf_counter()
        self.zero_unix_s = time.time()
        self.sent_ms: list[float] = []
        self.moments: list[Moment] = []

    def begin(self) -> None:
        """The clock starts: the next frame is the first."""
        self._zero_perf_s = time.perf_counter()
        self.zero_unix_s = time.time()
        # What was noted before happened at the very beginning.
        self.moments = [Moment(0.0, moment.what, moment.detail) for moment in self.moments]

    @property
    def now_ms(self) -> float:
        return (time.perf_counter() - self._zero_perf_s) * 1000

    @property
    def frames(self) -> int:
        return len(self._caller)

    def frame(self, index: int) -> tuple[Pcm, Pcm]:
        """The caller's side and the agent's."""
        return self._caller[index], self._agent[index]

    @property
    def late_ms(self) -> float:
        """The worst lag of the simulator itself behind real time: a busy machine makes every latency look worse."""
        return max((at - frame * FRAME_MS for frame, at in enumerate(self.sent_ms)), default=0.0)

    def add(self, caller: Pcm, agent: Pcm, *, agent_queued: bool) -> None:
        """One frame. ``agent_queued``: the application had sent audio for it, silent or not."""
        self.sent_ms.append(self.now_ms)
        self._caller.append(caller)
        self._agent.append(agent)
        self._queued.append(agent_queued)

    def note(self, what: What, detail: str = "") -> Moment:
        moment = Moment(self.now_ms, what, detail)
        self.moments.append(moment)
        return moment

    def times_of(self, what: What) -> tuple[float, ...]:
        return tuple(moment.at_ms for moment in self.moments if moment.what == what)

    @property
    def caller(self) -> Pcm:
        """What the application was sent: the caller with echo and noise. int16, 8 kHz."""
        return np.concatenate(self._caller) if self._caller else np.zeros(0, dtype=np.int16)

    @property
    def agent(self) -> Pcm:
        """What the caller heard. int16, 8 kHz, as long as ``caller``."""
        return np.concatenate(self._agent) if self._agent else np.zeros(0, dtype=np.int16)

    @property
    def queued(self) -> NDArray[np.bool_]:
        """One flag a frame: whether media of the application was played, silent or not."""
        return np.array(self._queued, dtype=np.bool_)

    def played(self) -> tuple[Span, ...]:
        """Where media of the application was played without a gap."""
        return spans(self._queued)

    def gaps(self, shorter_than_ms: int = 400) -> tuple[Span, ...]:
        """Where playout ran dry for a moment: too short for a change of turns, so heard as a stutter."""
        played = self.played()
        between = (Span(one.end_ms, other.start_ms) for one, other in itertools.pairwise(played))
        return tuple(gap for gap in between if gap.duration_ms < shorter_than_ms)

    def write(self, path: Path) -> None:
        """A 16-bit stereo WAV file, the caller on the left."""
        with wave.open(str(path), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(HZ)
            file.writeframes(np.column_stack((self.caller, self.agent)).astype("<i2").tobytes())
