"""The tones of a telephone's keys (ITU-T Q.23): one frequency for the row, one for the column."""

from __future__ import annotations

import numpy as np

from voxbus.common.audio import HZ, Pcm

_ROWS_HZ = (697, 770, 852, 941)
_COLUMNS_HZ = (1209, 1336, 1477, 1633)
_KEYS = "123A456B789C*0#D"

#: Each of the two, RMS. As loud as a caller's voice.
_LEVEL_DBFS = -22.0

DIGITS = frozenset(_KEYS)


def tone(digit: str, duration_ms: int = 100) -> Pcm:
    """int16, 8 kHz. Raises KeyError for what is no key."""
    if digit not in DIGITS:
        raise KeyError(digit)
    row, column = divmod(_KEYS.index(digit), 4)
    time_s = np.arange(duration_ms * HZ // 1000) / HZ
    waves = sum(np.sin(2 * np.pi * hz * time_s) for hz in (_ROWS_HZ[row], _COLUMNS_HZ[column]))
    amplitude = 32768 * 2**0.5 * 10 ** (_LEVEL_DBFS / 20)
    samples: Pcm = np.rint(amplitude * waves).astype(np.int16)
    return samples
