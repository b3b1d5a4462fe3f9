"""How loud the agent is for the caller: -20 dBFS active level, and no peak above -3 dBFS."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voxbus.common.audio.levels import active_level_dbfs
from voxbus.common.audio.mulaw import Pcm

TARGET_DBFS: Final = -20.0
PEAK_DBFS: Final = -3.0

#: More would lift a voice's breath, or a file that is nearly empty, to the loudness of speech.
_MAX_GAIN_DB: Final = 30.0

_LOOK_AHEAD_S: Final = 0.005


def gain_to_target_db(samples: Pcm, hz: int, target_dbfs: float = TARGET_DBFS) -> float:
    """The gain that brings the active level to the target; 0 for silence."""
    level = active_level_dbfs(samples, hz)
    return 0.0 if level == -math.inf else min(target_dbfs - level, _MAX_GAIN_DB)


class Limiter:
    """A gain, and a look-ahead limiter behind it, over a stream of int16 samples.

    No sample that comes out is above the ceiling, and the gain never jumps: what a sample needs is spread over the 5 ms
    before and after it (minimum, then mean, over a window that holds the sample: the mean cannot exceed the need). The
    output lags by those 5 ms; ``flush`` ends a sentence.
    """

    def __init__(self, hz: int, gain_db: float = 0.0, ceiling_dbfs: float = PEAK_DBFS) -> None:
        self._gain = 10 ** (gain_db / 20)
        # Truncated, and one quantum lower, so that the rounding to int16 cannot lift a peak over the ceiling.
        self._ceiling = math.floor(32768 * 10 ** (ceiling_dbfs / 20)) - 1.0
        self._window = max(1, round(hz * _LOOK_AHEAD_S))
        self._reset()

    def feed(self, samples: Pcm) -> Pcm:
        """What is ready now; may be empty."""
        return self._advance(samples.astype(np.float64) * self._gain)

    def flush(self) -> Pcm:
        """The rest of the sentence."""
        rest = self._advance(np.zeros(self._window - 1))
        self._reset()
        return rest

    def _reset(self) -> None:
        # A window of nothing before the first sample, so that its need is spread as well; it never comes out.
        self._lead = self._window - 1
        self._held: NDArray[np.float64] = np.zeros(self._lead)
        self._minima: NDArray[np.float64] = np.ones(self._lead)

    def _advance(self, loud: NDArray[np.float64]) -> Pcm:
        held = np.concatenate((self._held, loud))
        ready = len(held) - self._window + 1
        if ready < 1:
            self._held = held
            return np.zeros(0, dtype=np.int16)
        needed = self._ceiling / np.maximum(np.abs(held), self._ceiling)
        minima = np.concatenate((self._minima, _sliding_minimum(needed, self._window)))
        gain = _sliding_mean(minima, self._window)
        self._held = held[ready:]
        self._minima = minima[len(minima) - self._window + 1 :]
        limited: Pcm = np.rint(held[:ready] * gain).astype(np.int16)
        lead = min(self._lead, ready)
        self._lead -= lead
        return limited[lead:]


def _sliding_minimum(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """The minimum of each ``window`` neighbours, by minima of 2, 4, 8 ...: 7 passes in place of 40."""
    width = 1
    while width < window:
        step = min(width, window - width)
        values = np.minimum(values[: len(values) - step], values[step:])
        width += step
    return values


def _sliding_mean(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    if values.min() == 1.0:
        return np.ones(
            len(values) - window + 1
        )  # nothing to limit, and nothing that rounding could make of it
    sums = np.cumsum(np.concatenate(((0.0,), values)))
    means: NDArray[np.float64] = (sums[window:] - sums[:-window]) / window
    return means


def normalize(samples: Pcm, hz: int) -> Pcm:
    """A whole sentence at the target level, limited; as many samples as came in."""
    limiter = Limiter(hz, gain_to_target_db(samples, hz))
    return np.concatenate((limiter.feed(samples), limiter.flush()))
