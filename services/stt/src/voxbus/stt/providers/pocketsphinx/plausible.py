"""Whether a phrase is what was said, judged by how the search laid it over the audio.

A search through a grammar finds a phrase in anything. Three things give it away when nobody said it: sounds that the
phrase does not account for (the search calls them silence, and they are loud), words that are stretched over sounds
that are not theirs, and a phrase that breaks off in the middle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FRAME: Final = 80  # 10 ms at 8 kHz, the frames of the search

#: A frame is loud when it is less than this below the loudest ones, and this much over the noise of the line.
_BELOW_LOUDEST_DB: Final = 25.0
_OVER_NOISE_DB: Final = 8.0

#: Thresholds, measured: see tests/stt/test_acceptance.py. Shares of loud frames; frames of 10 ms a phone.
_UNEXPLAINED: Final = 0.075
_LONGEST_PHONE: Final = 24.0
_MEAN_PHONE: Final = 13.5
#: Of very short phrases ("no") the mean says nothing: people draw them out.
_FEW_PHONES: Final = 6


@dataclass(frozen=True)
class Segment:
    """A word (``phones`` of them) or, with none, what the search called silence or noise; frames, end exclusive."""

    start: int
    end: int
    phones: int


def loud_frames(audio: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Which frames of 10 ms carry sound."""
    frames = audio[: len(audio) // FRAME * FRAME].astype(np.float64).reshape(-1, FRAME)
    energy = np.mean(frames**2, axis=1) + 1.0
    loudest, noise = np.quantile(energy, 0.95), np.quantile(energy, 0.10)
    quiet = max(loudest / 10 ** (_BELOW_LOUDEST_DB / 10), noise * 10 ** (_OVER_NOISE_DB / 10))
    loud: NDArray[np.bool_] = energy > quiet
    return loud


def unexplained(segments: Sequence[Segment], loud: NDArray[np.bool_]) -> float:
    """The share of loud frames that no word accounts for."""
    silent = loud.copy()
    for segment in segments:
        if segment.phones:
            silent[segment.start : segment.end] = False
    return float(silent.sum() / max(1, loud.sum()))


def is_plausible(segments: Sequence[Segment], loud: NDArray[np.bool_]) -> bool:
    words = [s for s in segments if s.phones]
    phones = sum(word.phones for word in words)
    if not phones or unexplained(segments, loud) > _UNEXPLAINED:
        return False
    if max((word.end - word.start) / word.phones for word in words) > _LONGEST_PHONE:
        return False
    return phones < _FEW_PHONES or sum(w.end - w.start for w in words) / phones <= _MEAN_PHONE
