"""The STT worker's environment."""

from __future__ import annotations

import os

from pydantic import Field

from voxbus.common.providers.accounts import Cloudflare, Deepgram, Groq, OpenAi, Together
from voxbus.common.settings import ServiceSettings


class SttSettings(Deepgram, OpenAi, Together, Groq, Cloudflare, ServiceSettings):
    stt_providers: str = Field(
        default="pocketsphinx",
        description="Who recognizes: names of docs/providers.md, with commas; the next one hears where one cannot."
        " An agent may name another one of them.",
    )
    stt_model: str = Field(
        default="", description="The model of the first of them; unset = the provider's default."
    )
    stt_processes: int = Field(
        default_factory=lambda: max(1, min(4, os.cpu_count() or 1)),
        ge=1,
        le=64,
        description="Recognition processes of the embedded recognizer, shared by the calls of this worker.",
        json_schema_extra={"default_text": "one a CPU, at most 4"},
    )
    stt_calls: int = Field(
        default=50, ge=1, le=2000, description="How many calls this worker takes at the same time."
    )
    speech_start_prob: float = Field(
        default=0.6,
        gt=0,
        lt=1,
        description="Speech begins at this probability of the voice activity detector.",
    )
    speech_end_prob: float = Field(
        default=0.35,
        gt=0,
        lt=1,
        description="Silence begins below this probability. What is between the two changes nothing.",
    )
    silence_duration_ms: int = Field(
        default=500,
        ge=100,
        le=5000,
        description="So much silence ends the caller's turn, unless a provider ends it.",
    )
    min_speech_ms: int = Field(
        default=500,
        ge=0,
        le=5000,
        description="A turn is not ended sooner after its first speech; silence counts, so that a `yes` is an answer.",
    )
    barge_in_prob_threshold: float = Field(
        default=0.85,
        gt=0,
        lt=1,
        description="While the agent is audible only this probability counts as speech,",
    )
    barge_in_consecutive_frames: int = Field(
        default=3, ge=1, le=50, description="and only after so many windows of 32 ms in a row."
    )
    eot_threshold: float = Field(
        default=0.85,
        gt=0,
        le=1,
        description="A provider that detects the end of turns ends one at this confidence; Flux takes 0.5 at least.",
    )
    eager_eot_threshold: float = Field(
        default=0.5,
        ge=0,
        le=0.9,
        description="At this lower confidence the answer to what was said so far is prepared, and heard only if the "
        "turn is over indeed. Costs tokens and synthesis for guesses that were wrong; 0 = never, as where it is not "
        "below `EOT_THRESHOLD`; Flux takes 0.3 at least.",
    )
    post_utterance_silence_ms: int = Field(
        default=1500,
        ge=100,
        le=10000,
        description="So much silence ends the turn whatever the provider, `SILENCE_DURATION_MS` and "
        "`MIN_SPEECH_MS` say.",
    )
    max_turn_ms: int = Field(
        default=30000,
        ge=1000,
        le=120000,
        description="A turn that lasts longer is ended, in mid-word if need be.",
    )
    no_input_ms: int = Field(
        default=7000, ge=1000, le=60000, description="After so much silence of both the agent asks again."
    )
    max_call_s: int = Field(
        default=900, ge=10, le=14400, description="The agent says goodbye when a call has lasted so long."
    )
