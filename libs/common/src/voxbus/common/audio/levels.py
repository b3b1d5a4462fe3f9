"""Levels in dBFS: 0 is a signal that sits at full scale (a square wave); a full-scale sine is -3.01 dB RMS.

That is ITU-T G.100.1's dBov. Silence is -inf.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voxbus.common.audio.mulaw import Pcm

_FULL_SCALE: Final = 32768.0

# ITU-T P.56 (2011), method B, table 1.
_TIME_CONSTANT_S: Final = 0.03
_HANGOVER_S: Final = 0.2
_MARGIN_DB: Final = 15.9
_THRESHOLDS: Final = 2.0 ** -np.arange(15, -1, -1.0)  # 2^-15 ... 1 of full scale

#: The envelope moves in steps of 5 ms, a sixth of its time constant; P.56 takes it by the sample.
_STEP_S: Final = 0.005


def peak_dbfs(samples: Pcm) -> float:
    """The highest magnitude."""
    return _db(float(np.max(np.abs(samples.astype(np.int32)), initial=0)) / _FULL_SCALE)


def rms_dbfs(samples: Pcm) -> float:
    """The mean power over everything, pauses included."""
    return _db(math.sqrt(_mean_square(samples)))


def active_level_dbfs(samples: Pcm, hz: int) -> float:
    """The active speech level: the mean power over the time in which somebody speaks.

    ITU-T P.56 method B: an envelope (rectified, two exponential averages of 30 ms in series) is held against thresholds
    6 dB apart; time counts as active while the envelope is above a threshold or was 200 ms ago. The level is that of
    the threshold lying 15.9 dB below the level it yields, interpolated. One deviation: the envelope advances by 5 ms,
    not by the sample.
    """
    step = max(1, round(hz * _STEP_S))
    whole = len(samples) // step * step
    if whole == 0:
        return rms_dbfs(samples)
    magnitude = np.abs(samples[:whole].astype(np.float64)) / _FULL_SCALE
    envelope = _envelope(magnitude.reshape(-1, step).mean(axis=1), step / hz)
    energy = float(np.sum(magnitude**2)) / step  # per step of the envelope
    hold = round(_HANGOVER_S * hz / step)
    above: tuple[float, float] | None = None  # (level, level over threshold) at the threshold below
    for threshold in _THRESHOLDS:
        active = _held(envelope >= threshold, hold)
        if active == 0:
            break
        level = 10 * math.log10(energy / active)
        over = level - 20 * math.log10(threshold)
        if over <= _MARGIN_DB:
            return level if above is None else _interpolate(above, (level, over))
        above = (level, over)
    return -math.inf if above is None else above[0]


def _envelope(steps: NDArray[np.float64], step_s: float) -> NDArray[np.float64]:
    keep = math.exp(-step_s / _TIME_CONSTANT_S)
    first = second = 0.0
    out = np.empty(len(steps))
    for i, value in enumerate(steps.tolist()):
        first = keep * first + (1 - keep) * value
        second = keep * second + (1 - keep) * first
        out[i] = second
    return out


def _held(above: NDArray[np.bool_], hold: int) -> int:
    """How many steps are above, or follow one that is by at most ``hold`` steps."""
    last = np.maximum.accumulate(np.where(above, np.arange(len(above)), -hold - 1))
    return int(np.count_nonzero(np.arange(len(above)) - last <= hold))


def _interpolate(low: tuple[float, float], high: tuple[float, float]) -> float:
    """Between two thresholds, the level at which it lies exactly the margin over the threshold."""
    part = (low[1] - _MARGIN_DB) / (low[1] - high[1])
    return low[0] + part * (high[0] - low[0])


def _mean_square(samples: Pcm) -> float:
    return float(np.mean((samples / _FULL_SCALE) ** 2)) if len(samples) else 0.0


def _db(ratio: float) -> float:
    return 20 * math.log10(ratio) if ratio > 0 else -math.inf
