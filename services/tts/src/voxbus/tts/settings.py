"""The environment of a TTS worker."""

from __future__ import annotations

import os

from pydantic import Field

from voxbus.common.settings import ServiceSettings


def _cpus() -> int:
    # What this process may use, which in a container is not what the machine has.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class TtsSettings(ServiceSettings):
    tts_provider: str = Field(
        default="espeak",
        description="Who speaks. Several, separated by commas: the next one stands in when one fails.",
    )
    tts_voice: str = Field(
        default="en-us", description="The voice of agents that name none, as the first provider calls it."
    )
    tts_processes: int = Field(
        default_factory=_cpus,
        ge=1,
        le=256,
        description="Synthesis processes of embedded providers.",
        json_schema_extra={"default_text": "number of CPUs"},
    )
    tts_sentences: int = Field(
        default_factory=lambda: 2 * _cpus(),
        ge=1,
        le=4096,
        description="Sentences that this worker takes at a time.",
        json_schema_extra={"default_text": "twice the number of CPUs"},
    )
