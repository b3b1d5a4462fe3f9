"""Fades at cuts, so that audio which starts or stops in the middle of a wave does not click."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voxbus.common.audio.framing import bytes_of
from voxbus.common.audio.mulaw import mulaw_decode, mulaw_encode

FADE_MS = 5.0


def fade_in(data: bytes, ms: float = FADE_MS) -> bytes:
    """``data`` (mu-law) with its first ``ms`` coming up from silence; all of it, when it is shorter."""
    size = min(bytes_of(ms), len(data))
    return _shaped(data[:size], _ramp(size)) + data[size:]


def fade_out(data: bytes, ms: float = FADE_MS) -> bytes:
    """``data`` (mu-law) with its last ``ms`` going down to silence; all of it, when it is shorter."""
    size = min(bytes_of(ms), len(data))
    kept = len(data) - size
    return data[:kept] + _shaped(data[kept:], _ramp(size)[::-1])


def _ramp(size: int) -> NDArray[np.float64]:
    """A raised cosine from near 0 to near 1, symmetric: it has no edge that could be heard itself."""
    return 0.5 - 0.5 * np.cos(np.pi * (np.arange(size) + 0.5) / max(size, 1))


def _shaped(data: bytes, ramp: NDArray[np.float64]) -> bytes:
    return mulaw_encode(np.rint(mulaw_decode(data) * ramp).astype(np.int16))
