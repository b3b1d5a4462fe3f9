"""The simulated vendors, for tests of providers; skips where the devkit is not installed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from voxbus.common.agents import Voice
from voxbus.tts.providers import PROVIDERS, Provider
from voxbus.tts.settings import TtsSettings

pytest.importorskip("voxbus.devkit.vendors", reason="the devkit simulates the vendors")

from voxbus.devkit.vendors.server import Vendors

TEXT = "Thank you for calling, your appointment is confirmed."


def make(vendors: Vendors, name: str, first_audio_s: float = 5.0, **more: str) -> Provider:
    given = {key.lower(): value for key, value in vendors.environment.items()} | more
    settings = {"tts_providers": name, "tts_first_audio_ms": int(first_audio_s * 1000), **given}
    return PROVIDERS[name](TtsSettings.model_validate(settings))


async def say(provider: Provider, text: str = TEXT, voice: str = "") -> bytes:
    resolved = provider.resolve(Voice(name=voice))
    assert resolved is not None
    return b"".join([audio async for audio in provider.speak(text, resolved)])


async def interrupt(provider: Provider, text: str = TEXT) -> bytes:
    """The first audio; the rest is not wanted."""
    resolved = provider.resolve(Voice())
    assert resolved is not None
    said: AsyncGenerator[bytes, None] = provider.speak(text, resolved)
    async with aclosing(said) as audio:
        return await anext(audio)
