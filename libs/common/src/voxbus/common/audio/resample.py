"""Sample rates, by soxr."""

from __future__ import annotations

from typing import Literal

import numpy as np
import soxr
from numpy.typing import NDArray

from voxbus.common.audio.mulaw import Pcm


class Resampler:
    """Streams int16 samples from one rate to another; ``flush`` ends a sentence and makes it ready for the next.

    The filter holds back samples (some 50 ms of audio at ``LQ``, 90-120 ms at ``HQ``, measured) until ``flush``. All
    together exactly ``round(n * to_hz / from_hz)`` samples come out of ``n``, so sentences never drift.
    """

    __slots__ = ("_stream",)

    def __init__(self, from_hz: int, to_hz: int, *, quality: Literal["LQ", "MQ", "HQ"] = "HQ") -> None:
        if from_hz < 1 or to_hz < 1:
            raise ValueError("a sample rate is positive")
        # Float inside: soxr's int16 output is dithered, so the same sentence would never be the same bytes again.
        self._stream = (
            None
            if from_hz == to_hz
            else soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality=quality)
        )

    def feed(self, samples: Pcm) -> Pcm:
        """What is ready now; may be empty."""
        if self._stream is None:
            return samples
        return _rounded(self._stream.resample_chunk(samples.astype(np.float32)))

    def flush(self) -> Pcm:
        """The rest of the sentence."""
        if self._stream is None:
            return np.zeros(0, dtype=np.int16)
        rest = _rounded(self._stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True))
        self._stream.clear()
        return rest


def _rounded(samples: NDArray[np.float32]) -> Pcm:
    # The filter overshoots at hard edges; a wrapped sample would be a crack.
    whole: Pcm = np.rint(samples).clip(-32768, 32767).astype(np.int16)
    return whole
