"""How loud a vendor's voice is: learnt from what it said, so that the next sentence need not be listened to first.

Sentences of one voice are about equally loud, voices are not. The first sentence of a voice is measured as an embedded
one is (``core_shape``), which waits for up to 1.5 s of its audio; those after it cost nothing.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from voxbus.common.audio import HZ, Pcm, bytes_of, gain_to_target_db

_MEASURED_MS: Final = 3000.0
#: What is shorter ("Yes.") says little about the voice.
_ENOUGH_MS: Final = 800.0
_WEIGHT: Final = 0.3
#: A difference that nobody hears is left: the audio then goes through as it came.
_INAUDIBLE_DB: Final = 1.5


class Levels:
    """Gains in dB, by voice."""

    def __init__(self) -> None:
        self._gains: dict[str, float] = {}

    def gain_db(self, voice: str) -> float | None:
        """None: nothing is known of it yet."""
        gain_db = self._gains.get(voice)
        return 0.0 if gain_db is not None and abs(gain_db) < _INAUDIBLE_DB else gain_db

    def learn(self, voice: str, said: Pcm) -> None:
        """``said``: the beginning of a sentence, 8 kHz, as the vendor sent it."""
        if len(said) < bytes_of(_ENOUGH_MS):
            return
        gain_db = gain_to_target_db(said, HZ)
        known = self._gains.get(voice)
        self._gains[voice] = gain_db if known is None else known + _WEIGHT * (gain_db - known)


class Sample:
    """The beginning of a sentence, kept for ``Levels.learn``."""

    def __init__(self) -> None:
        self._parts: list[Pcm] = []
        self._left = bytes_of(_MEASURED_MS)

    def add(self, samples: Pcm) -> None:
        if self._left > 0:
            self._parts.append(samples[: self._left])
            self._left -= len(samples)

    def taken(self) -> Pcm:
        return np.concatenate(self._parts) if self._parts else np.zeros(0, np.int16)
