"""The simulated voices: eSpeak NG, with the silence before and after that vendors' voices have."""

from __future__ import annotations

import asyncio

import numpy as np

from voxbus.common.audio import HZ, Pcm, Resampler
from voxbus.devkit.speech import speak

_BEFORE_MS, _AFTER_MS = 60, 200


async def say(text: str, hz: int = HZ) -> Pcm:
    """``text`` as int16 samples at ``hz``; nothing for a text of no words."""
    if not any(char.isalnum() for char in text):
        return np.zeros(0, np.int16)
    spoken = await asyncio.to_thread(speak, text)
    silences = (np.zeros(HZ * ms // 1000, np.int16) for ms in (_BEFORE_MS, _AFTER_MS))
    before, after = silences
    audio = np.concatenate((before, spoken.audio, after))
    resampler = Resampler(HZ, hz)
    return np.concatenate((resampler.feed(audio), resampler.flush()))
