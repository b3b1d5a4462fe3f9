"""The provider ``espeak``."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from voxbus.common.agents import Voice
from voxbus.common.errors import ProviderError, SettingsError
from voxbus.tts.providers.espeak.names import Catalogue
from voxbus.tts.providers.espeak.pool import Pool
from voxbus.tts.providers.espeak.wire import VoiceInfo


class EspeakProvider:
    name = "espeak"

    def __init__(self, default_voice: str, processes: int) -> None:
        self._default_voice = default_voice
        self.pool = Pool(processes)
        self._catalogue = Catalogue((), ())
        self._version = ""

    async def start(self) -> None:
        hello = await self.pool.start()
        self._version = hello.version
        self._catalogue = Catalogue(map(VoiceInfo._make, hello.voices), hello.variants)
        if self._catalogue.find(self._default_voice) is None:
            await self.pool.close()
            raise SettingsError(
                f"TTS_VOICE: espeak has no voice {self._default_voice!r}; there are: {self._catalogue.known()}"
            )

    @property
    def identity(self) -> str:
        return f"espeak {self._version} {self._default_voice}"

    def resolve(self, voice: Voice) -> Voice | None:
        found = self._catalogue.find(voice.name or self._default_voice)
        return None if found is None else voice.model_copy(update={"provider": self.name, "name": found})

    def spares(self, voice: Voice) -> list[Voice]:
        return [voice.model_copy(update={"name": name}) for name in self._catalogue.spares(voice.name)]

    def warm(self, voice: Voice) -> None:
        return None

    async def speak(
        self, text: str, voice: Voice, *, background: bool = False
    ) -> AsyncGenerator[bytes, None]:
        # A C string ends at its first zero byte; other control characters are read out as their names.
        plain = "".join(char if char.isprintable() else " " for char in text)
        spoken = self.pool.speak(plain, voice.name, voice.rate, voice.pitch, background=background)
        silent = True
        async with aclosing(spoken) as audio:
            async for data in audio:
                silent = False
                yield data
        if silent and any(char.isalnum() for char in plain):
            raise ProviderError("no_audio", "the voice says nothing for this text", retry=False)

    def not_ready(self) -> str:
        return "" if self.pool.processes else "no synthesis process runs"

    async def close(self) -> None:
        await self.pool.close()
