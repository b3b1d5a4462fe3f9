"""From a provider's samples to what the caller hears: rate, loudness, silence, mu-law.

Loudness: the gain is measured on the first 1.5 s of the sentence and stays. A gain that follows the voice would pump; a
gain per voice misses short sentences by up to 4 dB ("Thank you."), this one everything by less than 1.5 dB (14 eSpeak
voices x 24 sentences). The limiter behind it takes the rare peaks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from voxbus.common.audio import (
    HZ,
    SILENCE,
    Limiter,
    Pcm,
    Resampler,
    bytes_of,
    gain_to_target_db,
    mulaw_encode,
)

#: Half a decibel under what is promised (-3 dBFS): a code of mu-law stands for a range, and may lie above the sample.
CEILING_DBFS: Final = -3.5
LOOK_AHEAD_MS: Final = 1500.0
#: -50 dBFS, 30 dB under the voice: below is breath and filter ringing.
_AUDIBLE: Final = 104
#: Kept before the first sound, so that a soft consonant keeps its onset.
LEAD_MS: Final = 10.0
#: Kept after the last sound.
TAIL_MS: Final = 20.0
#: Silence that is held back because it may be the end. Longer pauses go out, lest the line run dry in them.
_HELD_MS: Final = 1000.0

#: ITU-T P.56, method B.
_HANGOVER_MS: Final = 200.0

_END_PAUSE_MS: Final = 180.0
_CLAUSE_PAUSE_MS: Final = 120.0


def pause_after_ms(text: str) -> float:
    """The pause before the next sentence begins; shorter after a piece that ends in the middle of one."""
    return (
        _CLAUSE_PAUSE_MS
        if text.rstrip("\"' ").endswith((",", ";", ":", "-", "\N{EM DASH}"))
        else _END_PAUSE_MS
    )


class Shaper:
    """One sentence: int16 samples at ``from_hz`` in, mu-law at 8 kHz out, as early as it is certain.

    ``gain_db``: where it is known already; nothing is waited for then. ``hears`` gets the samples at 8 kHz, before the
    gain.
    """

    def __init__(
        self, from_hz: int, gain_db: float | None = None, hears: Callable[[Pcm], None] | None = None
    ) -> None:
        self._resampler = Resampler(from_hz, HZ)
        self._ahead: list[Pcm] = []
        self._ahead_ms = 0.0
        self._limiter = None if gain_db is None else Limiter(HZ, gain_db, CEILING_DBFS)
        self._hears = hears
        self._trim = _Trim()

    def feed(self, samples: Pcm) -> bytes:
        return self._level(self._resampler.feed(samples))

    def finish(self, pause_ms: float = 0.0) -> bytes:
        """The rest, and a pause. Empty when the sentence had no sound."""
        out = self._level(self._resampler.flush())
        if self._limiter is None:
            # All of it was heard, and a pause follows. The active level counts 200 ms of that as speech.
            self._ahead.append(np.zeros(bytes_of(_HANGOVER_MS), np.int16))
        limiter = self._limiter or self._start_limiter()
        out += self._trim.feed(self._drain_ahead(limiter))
        out += self._trim.feed(limiter.flush())
        if not self._trim.sounded:
            return b""
        pause_bytes = bytes_of(max(pause_ms - TAIL_MS, 0.0))
        return out + self._trim.tail() + bytes([SILENCE]) * pause_bytes

    def _level(self, samples: Pcm) -> bytes:
        if self._hears is not None:
            self._hears(samples)
        if self._limiter is not None:
            return self._trim.feed(self._limiter.feed(samples))
        self._ahead.append(samples)
        self._ahead_ms += len(samples) * 1000 / HZ
        if self._ahead_ms < LOOK_AHEAD_MS:
            return b""
        return self._trim.feed(self._drain_ahead(self._start_limiter()))

    def _start_limiter(self) -> Limiter:
        # Exactly so much, however the samples came in: the same sentence is always equally loud.
        heard = np.concatenate(self._ahead)[: bytes_of(LOOK_AHEAD_MS)]
        self._limiter = Limiter(HZ, gain_to_target_db(heard, HZ), CEILING_DBFS)
        return self._limiter

    def _drain_ahead(self, limiter: Limiter) -> Pcm:
        ahead, self._ahead = self._ahead, []
        return limiter.feed(np.concatenate(ahead)) if ahead else np.zeros(0, np.int16)


class _Trim:
    """Cuts the silence before the first sound, and after the last one."""

    def __init__(self) -> None:
        self.sounded = False
        self._held = np.zeros(0, np.int16)

    def feed(self, samples: Pcm) -> bytes:
        held = np.concatenate((self._held, samples))
        audible = np.flatnonzero(np.abs(held.astype(np.int32)) >= _AUDIBLE)
        if not self.sounded:
            if not len(audible):
                self._held = held[-bytes_of(LEAD_MS) :]
                return b""
            self.sounded = True
            start = max(0, int(audible[0]) - bytes_of(LEAD_MS))
            held, audible = held[start:], audible - start
        certain = int(audible[-1]) + 1 if len(audible) else 0
        certain = max(certain, len(held) - bytes_of(_HELD_MS))
        self._held = held[certain:]
        return mulaw_encode(held[:certain])

    def tail(self) -> bytes:
        """The end of the last sound, ``TAIL_MS`` long, with silence where there is less of it."""
        size = bytes_of(TAIL_MS)
        return mulaw_encode(self._held[:size]).ljust(size, bytes([SILENCE]))
