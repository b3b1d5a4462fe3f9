"""The environment of a TTS worker."""

from __future__ import annotations

import os

from pydantic import Field

from voxbus.common.providers.accounts import Cartesia, Cloudflare, Deepgram, ElevenLabs, OpenAi, Together
from voxbus.common.settings import ServiceSettings


def _cpus() -> int:
    # What this process may use, which in a container is not what the machine has.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class TtsSettings(Deepgram, OpenAi, Together, ElevenLabs, Cartesia, Cloudflare, ServiceSettings):
    tts_providers: str = Field(
        default="espeak",
        description="Who speaks: names of docs/providers.md, with commas; the next one stands in when one fails.",
    )
    tts_voice: str = Field(
        default="",
        description="The voice of agents that name none, as the first provider calls it; unset = its default.",
    )
    tts_model: str = Field(
        default="",
        description="The model of the first provider, where voices have one; unset = its default.",
    )
    tts_first_audio_ms: int = Field(
        default=2000,
        ge=100,
        le=20000,
        description="How long a provider over the network may take to begin a sentence, and pause in one; then the next"
        " one says it.",
    )
    tts_processes: int = Field(
        # One speaks a hundred times faster than anybody listens, and takes 19 MB.
        default_factory=lambda: min(4, _cpus()),
        ge=1,
        le=256,
        description="Synthesis processes of embedded providers.",
        json_schema_extra={"default_text": "one a CPU, at most 4"},
    )
    tts_sentences: int | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="Sentences that this worker takes at a time. Unset: twice the number of CPUs where the first voice"
        " is embedded, else 32.",
    )

    def voice_of(self, provider: str) -> str:
        """``TTS_VOICE`` is a name that the first provider knows; empty for others."""
        return self.tts_voice if provider == self._first else ""

    def model_of(self, provider: str) -> str:
        """As ``voice_of``, of ``TTS_MODEL``."""
        return self.tts_model if provider == self._first else ""

    @property
    def first_audio_s(self) -> float:
        return self.tts_first_audio_ms / 1000

    @property
    def sentences(self) -> int:
        return self.tts_sentences or (2 * _cpus() if self._first == "espeak" else 32)

    @property
    def _first(self) -> str:
        return self.tts_providers.partition(",")[0].strip()
