"""What the recording itself says: where each side is audible, and the shape of its waveform.

Nothing here asks an event or a clock: it is the check on what the services say of themselves.
"""

from __future__ import annotations

import itertools
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from voxbus.common.audio import Pcm

#: Shorter than any phoneme, long enough for a stable level: edges are exact to this.
WINDOW_MS = 5
#: 30 dB under the active level of the agent's voice (-20 dBFS): the tail of an "s" counts, coding noise does not.
FLOOR_DBFS = -50.0
FULL_SCALE = 32768.0


@dataclass(frozen=True)
class Span:
    start_ms: float
    end_ms: float

    @property
    def ms(self) -> float:
        return self.end_ms - self.start_ms


@dataclass(frozen=True)
class Recording:
    """Both sides of a call, of the same length. ``caller`` is the left channel."""

    hz: int
    caller: Pcm
    agent: Pcm

    @property
    def duration_ms(self) -> float:
        return 1000.0 * len(self.caller) / self.hz


def read(path: Path) -> Recording:
    """A stereo 16-bit WAV file. Raises ValueError for any other."""
    with wave.open(str(path), "rb") as file:
        if file.getnchannels() != 2 or file.getsampwidth() != 2:
            raise ValueError(f"{path}: expected 16-bit stereo")
        both = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)
        return Recording(file.getframerate(), both[:, 0].astype(np.int16), both[:, 1].astype(np.int16))


def audible(
    samples: Pcm, hz: int, *, join_ms: float = 200.0, floor_dbfs: float = FLOOR_DBFS
) -> tuple[Span, ...]:
    """Where something can be heard. Gaps up to ``join_ms`` are closed: a stop consonant is no silence."""
    window = hz * WINDOW_MS // 1000
    count = len(samples) // window
    if count == 0:
        return ()
    frames = samples[: count * window].reshape(count, window).astype(np.float64)
    # The level around the window's own mean: an offset is not heard.
    level = frames.std(axis=1) / FULL_SCALE
    loud = np.flatnonzero(level > 10 ** (floor_dbfs / 20))
    if len(loud) == 0:
        return ()
    breaks = np.flatnonzero(np.diff(loud) > 1 + join_ms / WINDOW_MS)
    starts = loud[np.concatenate(([0], breaks + 1))]
    ends = loud[np.concatenate((breaks, [len(loud) - 1]))] + 1
    return tuple(Span(float(a * WINDOW_MS), float(b * WINDOW_MS)) for a, b in zip(starts, ends, strict=True))


def gaps(spans: Sequence[Span], start_ms: float, end_ms: float) -> tuple[Span, ...]:
    """The silences between the spans that lie in the stretch."""
    inside = [s for s in spans if s.end_ms > start_ms and s.start_ms < end_ms]
    return tuple(Span(a.end_ms, b.start_ms) for a, b in itertools.pairwise(inside))


def envelope(samples: Pcm, hz: int, bin_ms: int) -> bytes:
    """One byte a bin: the peak in it, 255 = full scale. For drawing."""
    size = hz * bin_ms // 1000
    count = -(-len(samples) // size)
    padded = np.zeros(count * size, dtype=np.float64)
    padded[: len(samples)] = np.abs(samples.astype(np.float64))
    peaks = padded.reshape(count, size).max(axis=1) / FULL_SCALE
    return bytes(np.clip(np.round(peaks * 255), 0, 255).astype(np.uint8))
