"""A vendor's audio, as it comes over the network, becomes what the caller hears: rate, loudness, silence, deadlines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import numpy as np

from voxbus.common.audio import HZ, mulaw_decode
from voxbus.common.errors import ProviderError
from voxbus.common.providers.pcm import PcmReader
from voxbus.tts.core_level import Levels, Sample
from voxbus.tts.core_shape import Shaper, pause_after_ms


@dataclass(frozen=True)
class Format:
    """``hz``: of 16-bit little-endian samples; None = mu-law at 8 kHz."""

    hz: int | None = None


MULAW: Final = Format()


class Voicing:
    """One a provider. ``first_audio_s``: how long it may take to begin, and pause."""

    def __init__(self, format_: Format, first_audio_s: float) -> None:
        self._format = format_
        self._first_audio_s = first_audio_s
        self._levels = Levels()

    async def shape(
        self, audio: AsyncGenerator[bytes, None], text: str, voice: str, *, background: bool = False
    ) -> AsyncGenerator[bytes, None]:
        """Mu-law at 8 kHz with a pause at its end. Raises ProviderError: also ``first_audio_timeout``, ``paused`` and
        ``no_audio``. ``background``: nobody waits for it, so its loudness is measured in any case."""
        hz = self._format.hz
        reader = PcmReader(1 if hz is None else 2)
        sample = Sample()
        gain_db = None if background else self._levels.gain_db(voice)
        shaper = Shaper(hz or HZ, gain_db, sample.add)
        heard = False
        async with aclosing(audio):
            async for data in self._in_time(audio):
                whole = reader.feed(data)
                if shaped := shaper.feed(self._samples(whole)):
                    heard = True
                    yield shaped
        shaped = shaper.feed(self._samples(reader.flush())) + shaper.finish(pause_after_ms(text))
        if not shaped and not heard and any(char.isalnum() for char in text):
            raise ProviderError("no_audio", "the voice says nothing for this text", retry=False)
        self._levels.learn(voice, sample.taken())
        yield shaped

    def _samples(self, whole: bytes) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
        if self._format.hz is None:
            return mulaw_decode(whole)
        return np.frombuffer(whole, dtype="<i2").astype(np.int16)

    async def _in_time(self, audio: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        begun = False
        while True:
            try:
                async with asyncio.timeout(self._first_audio_s):
                    data = await anext(audio, None)
            except TimeoutError:
                raise ProviderError("paused" if begun else "first_audio_timeout") from None
            if data is None:
                return
            begun = True
            yield data
