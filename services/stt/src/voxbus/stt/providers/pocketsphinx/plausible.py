"""How sure it is that a phrase was said, judged by how it lies over the audio.

A search through a grammar finds a phrase in anything. Five things give it away when nobody said it:

advantage    its phones fit worse than the best of all phones do: log likelihood a frame, the mean of the phones; never
             much above 0
agreement    who knows no grammar hears other sounds there: the share of the loud frames in which both are alike
unexplained  there are sounds that it does not account for: the share of the loud frames that are in none of its words
unevenness   its phones are squeezed here and stretched there: the standard deviation of the logarithms of their
             lengths, less of it where they are few, for people draw out a "no"
longest      a word is stretched over sounds that are not its own: the frames a phone of the longest word

None is sure by itself. Their weights are those of a logistic regression, rounded: 640 synthesized phrases of the
shipped agents' grammars (five voices, clean and at 15 dB) against 600 stretches of real and synthesized speech about
something else. The bias is moved so that 0.5 keeps 96 % of those phrases. What comes of it for other ones is measured
in tests/stt/test_acceptance.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voxbus.stt.providers.pocketsphinx import graph
from voxbus.stt.providers.pocketsphinx.phones import Phone

FRAME: Final = 80  # 10 ms at 8 kHz, the frames of the search

#: A frame is loud when it is less than this below the loudest ones, and this much over the noise of the line.
_BELOW_LOUDEST_DB: Final = 25.0
_OVER_NOISE_DB: Final = 8.0

_BIAS: Final = 6.9
_ADVANTAGE: Final = 1.6
_AGREEMENT: Final = 4.3
_UNEXPLAINED: Final = -20.0
_UNEVENNESS: Final = -5.8
_LONGEST: Final = -0.1

#: From this many phones on, their unevenness counts in full.
_MANY_PHONES: Final = 8

_GROUP: Final = {phone: number for number, group in enumerate(graph.ALIKE) for phone in group}
_SILENCE: Final = -1

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Word:
    """Frames, end exclusive, and the names of its phones."""

    start: int
    end: int
    phones: tuple[str, ...]


@dataclass(frozen=True)
class Evidence:
    """See the module."""

    advantage: float
    agreement: float
    unexplained: float
    unevenness: float
    longest: float

    @property
    def confidence(self) -> float:
        """0 to 1; below 0.5 it is more likely that the phrase was not said."""
        score = (
            _BIAS
            + _ADVANTAGE * self.advantage
            + _AGREEMENT * self.agreement
            + _UNEXPLAINED * self.unexplained
            + _UNEVENNESS * self.unevenness
            + _LONGEST * self.longest
        )
        return 0.5 + 0.5 * math.tanh(score / 2)


def loud_frames(audio: NDArray[np.int16]) -> Flags:
    """Which frames of 10 ms carry sound."""
    energy = energies(audio)
    loudest, noise = np.quantile(energy, 0.95), np.quantile(energy, 0.10)
    quiet = max(loudest / 10 ** (_BELOW_LOUDEST_DB / 10), noise * 10 ** (_OVER_NOISE_DB / 10))
    loud: Flags = energy > quiet
    return loud


def energies(audio: NDArray[np.int16]) -> NDArray[np.float64]:
    """The mean square of each frame of 10 ms; never 0."""
    frames = audio[: len(audio) // FRAME * FRAME].astype(np.float64).reshape(-1, FRAME)
    energy: NDArray[np.float64] = np.mean(frames**2, axis=1) + 1.0
    return energy


def unexplained(words: Sequence[Word], loud: Flags) -> float:
    """The share of loud frames that no word accounts for."""
    left = loud.copy()
    for word in words:
        left[word.start : word.end] = False
    return float(left.sum() / max(1, loud.sum()))


def weigh(words: Sequence[Word], phrase: Sequence[Phone], anything: Sequence[Phone], loud: Flags) -> Evidence:
    """``phrase``: the phones of ``words`` in the audio, silence included; ``anything``: the best phones of all."""
    frames = max(phone.end for phone in (*phrase, *anything))
    best = np.zeros(frames)
    for phone in anything:
        best[phone.start : phone.end] = phone.score / (phone.end - phone.start)
    spoken = [phone for phone in phrase if phone.name]
    lengths = np.array([phone.end - phone.start for phone in spoken])
    advantages = [phone.score - best[phone.start : phone.end].sum() for phone in spoken]
    alike = _groups(phrase, frames) == _groups(anything, frames)
    heard = loud[:frames]
    return Evidence(
        advantage=float(np.mean(advantages / lengths)),
        agreement=float(alike[: len(heard)][heard].mean()) if heard.any() else 0.0,
        unexplained=unexplained(words, loud),
        unevenness=float(np.log(lengths).std()) * min(1.0, len(spoken) / _MANY_PHONES),
        longest=max((word.end - word.start) / len(word.phones) for word in words),
    )


def _groups(phones: Sequence[Phone], frames: int) -> NDArray[np.int64]:
    groups = np.full(frames, _SILENCE)
    for phone in phones:
        groups[phone.start : phone.end] = _GROUP.get(phone.name, _SILENCE)
    return groups
