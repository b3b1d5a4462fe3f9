"""The report of a call, as it goes to the backend.

docs/call-report.schema.json is made from these classes, by ``make docs``.

Names are camelCase on the wire. ``*Ms`` in ``transcript`` are milliseconds since ``startedAt``; in ``latency`` they are
durations. A later version of the same number only adds fields; what changes a meaning gets a new ``version``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from voxbus.common.events import Direction, EndedBy, EndReason
from voxbus.common.outcome import Outcome

VERSION: Final = 1

SCHEMA_ID: Final = "urn:voxbus:call-report:1"


class Part(BaseModel):
    # Readers of an older build take what they know.
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")


class CallerLine(Part):
    """What the caller said, or pressed."""

    speaker: Literal["caller"] = "caller"
    turn: int
    start_ms: int
    end_ms: int
    text: str
    by: Literal["speech", "keys"] = "speech"
    confidence: float
    backchannel: bool = Field(description="A listener's noise (mm-hm): it took no turn and got no answer.")


class AgentLine(Part):
    """A sentence of the agent: what was to be said, and what of it the caller heard."""

    speaker: Literal["agent"] = "agent"
    turn: int
    start_ms: int
    end_ms: int
    text: str = Field(description="What was to be said.")
    heard: str = Field(description="What of it the caller heard.")
    verdict: Literal["heard", "cut", "unheard", "assumed", "unknown"] = Field(
        description="heard: all of it, proven. cut: as far as `heard` goes. assumed: the caller answered it. "
        "unknown: the call ended before anybody could tell."
    )
    fallback: bool = Field(description="No model said it.")


class Latency(Part):
    """From the caller's last speech to the first agent audio. The parts add up to ``total``; null = not measured."""

    endpointing: float | None = Field(
        default=None, description="Last speech to the decision that the turn is over."
    )
    recognition: float | None = Field(default=None, description="That decision to the text.")
    tools: float | None = Field(default=None, description="Tools that were asked before the first token.")
    first_token: float | None = Field(
        default=None, description="The text to the model's first token, without the tools."
    )
    first_sentence: float | None = Field(default=None, description="First token to the first whole sentence.")
    synthesis: float | None = Field(default=None, description="The sentence to its first audio.")
    playout: float | None = Field(
        default=None, description="The rest: bus, queues, pacing. Below zero where stages overlapped."
    )
    total: float | None = Field(
        default=None, description="The caller's last speech to the first agent frame sent."
    )


class ToolUse(Part):
    name: str
    ok: bool | None = Field(description="null: it never returned.")
    duration_ms: float


class Turn(Part):
    """One reply of the agent and what caused it."""

    turn: int
    cause: EndedBy | Literal["start"] = Field(description="How the caller's part ended; start: the greeting.")
    caller: str
    agent: str = Field(description="What was to be said.")
    heard: str = Field(description="What of it the caller heard.")
    interrupted: bool
    dropped_frames: int = Field(description="Caller frames of 20 ms that the recognizer never saw.")
    latency: Latency
    tools: tuple[ToolUse, ...] = ()


class Fallback(Part):
    turn: int
    cause: str


class ModelUsage(Part):
    provider: str
    model: str
    replies: int
    input_tokens: int
    output_tokens: int


class VoiceUsage(Part):
    provider: str
    voice: str
    sentences: int
    characters: int


class Usage(Part):
    """What was consumed, replies that nobody heard included: they were paid for."""

    llm: tuple[ModelUsage, ...]
    tts: tuple[VoiceUsage, ...]
    call_ms: int


class RecordingPart(Part):
    """One file. A call that came back on another stream has one for each."""

    store: str = Field(
        description="Which recordings: the text of the file `.store` in a gateway's RECORDINGS_DIR."
    )
    place: str = Field(description="The file's path there; empty = there is none.")
    started_ms: int | None = Field(description="Its first sample, in ms since `startedAt`.")
    length_ms: int | None = Field(description="null: not closed; what was written can be read.")
    size_bytes: int | None
    sha256: str = Field(description="Of the whole file, as sha256sum prints it; empty = not known.")
    lost_ms: int = Field(description="Of its length, silence in the place of what could not be written.")
    cause: str = Field(
        description="Why something is missing, such as `ENOSPC`; `not_closed`: the writer died, or its disk did not "
        "answer; empty = nothing is."
    )


class Recording(Part):
    """A mu-law WAV file at 8 kHz: left the caller, right what they heard of the agent."""

    state: Literal["complete", "incomplete", "none"] = Field(
        description="incomplete: see the parts. none: the call ended before its notice was heard."
    )
    parts: tuple[RecordingPart, ...]


class CallReport(Part):
    version: Literal[1] = VERSION
    call_sid: str = Field(pattern=r"^CA[0-9a-fA-F]{32}$")
    session_id: str
    direction: Direction
    from_: str = Field(alias="from")
    to: str
    agent: str = Field(description="The agent's name; empty when nobody answered.")
    started_at: datetime
    ended_at: datetime
    duration_ms: int
    outcome: Outcome
    end_reason: EndReason
    end_detail: str
    answered_by: str = Field(
        description="What answering-machine detection found; empty = nothing, or not asked."
    )
    transcript: tuple[CallerLine | AgentLine, ...]
    turns: tuple[Turn, ...]
    interruptions: int
    dropped_frames: int
    fallbacks: tuple[Fallback, ...]
    usage: Usage
    recording: Recording | None = Field(default=None, description="null: the agent does not record.")

    def to_json(self) -> bytes:
        """The same bytes for the same report: what is signed and sent."""
        return self.model_dump_json(by_alias=True).encode()


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a report as it is sent."""
    made = CallReport.model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **made}
