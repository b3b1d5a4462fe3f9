"""What voices at a vendor have in common, whatever they are asked over."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator

from voxbus.common.agents import Voice
from voxbus.tts.voicing import Voicing


class NetworkVoice(ABC):
    """Nothing to start or to check. ``longest``: what of a sentence is asked for at most, in characters."""

    def __init__(self, voicing: Voicing, longest: int) -> None:
        self._voicing = voicing
        self._longest = longest

    async def start(self) -> None:
        return None

    def spares(self, voice: Voice) -> list[Voice]:
        return []

    def not_ready(self) -> str:
        return ""

    async def speak(
        self, text: str, voice: Voice, *, background: bool = False
    ) -> AsyncGenerator[bytes, None]:
        said = self._say(text[: self._longest], voice.name)
        shaped = self._voicing.shape(said, text, voice.name, background=background)
        async with contextlib.aclosing(shaped) as audio:
            async for data in audio:
                yield data

    @abstractmethod
    def _say(self, text: str, voice: str) -> AsyncGenerator[bytes, None]:
        """The vendor's audio, as it comes. Raises ProviderError."""
