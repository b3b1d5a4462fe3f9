"""OpenAI's speech, or that of any compatible server: one request a sentence, 24 kHz samples that stream back."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

from voxbus.common.agents import Voice
from voxbus.common.providers import http
from voxbus.common.run import background
from voxbus.tts.providers.network import NetworkVoice
from voxbus.tts.voicing import Format, Voicing

DEFAULT_MODEL: Final = "gpt-4o-mini-tts"
DEFAULT_VOICE: Final = "alloy"
VOICES: Final = frozenset("alloy ash ballad coral echo fable nova onyx sage shimmer verse".split())  # noqa: SIM905
_MAX_TEXT: Final = 4096


class OpenAiSpeech(NetworkVoice):
    name = "openai"

    def __init__(
        self, base_url: str, api_key: str, model: str, default_voice: str, first_audio_s: float
    ) -> None:
        super().__init__(Voicing(Format(24000), first_audio_s), _MAX_TEXT)
        self._model = model or DEFAULT_MODEL
        self._default_voice = default_voice or DEFAULT_VOICE
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = http.client(base_url, headers, connect_s=first_audio_s)

    @property
    def identity(self) -> str:
        return f"{self.name} {self._model} {self._default_voice}"

    def resolve(self, voice: Voice) -> Voice | None:
        """A name that was meant for this provider is taken as it is: servers of your own have their own."""
        name = voice.name or self._default_voice
        meant = voice.provider == self.name or not voice.name or name in VOICES
        return voice.model_copy(update={"provider": self.name, "name": name}) if meant else None

    def warm(self, voice: Voice) -> None:
        background(http.warm(self._http), name="warm speech")

    async def _say(self, text: str, voice: str) -> AsyncGenerator[bytes, None]:
        body = {"model": self._model, "input": text, "voice": voice, "response_format": "pcm"}
        async with http.posted(self._http, "audio/speech", json=body) as response:
            async for data in response.aiter_bytes():
                yield data

    async def close(self) -> None:
        await self._http.aclose()
