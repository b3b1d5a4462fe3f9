"""The events of a call. They are the whole truth about it: every state is a fold over them.

One frozen dataclass a kind. ``key()`` makes the subject ``call.{sid}.event.{kind}.{key}`` unique, and so is the
idempotency key: a second event with the same key is refused for as long as the log is kept.

Times: ``*_ms`` with ``media`` in the name is the position on the caller's media clock (ms since stream start); all
other ``*_ms`` are durations on the publisher's monotonic clock. When something happened is the stream's timestamp.

A turn is one reply of the agent and what caused it. Turn 1 of an inbound call is the greeting (caused by
``started``); of an outbound call it answers the callee's first words. ``attempt`` counts from 0 within a turn: an
utterance that was withdrawn because the caller went on comes again as the next attempt, with the joined text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from voxbus.common.agents import Agent, Voice

Direction = Literal["inbound", "outbound"]
EndedBy = Literal[
    "provider", "silence", "max_duration", "dtmf", "no_words", "no_input", "time_limit", "machine"
]
EndReason = Literal[
    "caller_hung_up",
    "agent_hung_up",
    "transferred",
    "carrier",
    "connection_lost",
    "no_capacity",
    "time_limit",
    "error",
]


@dataclass(frozen=True, kw_only=True)
class Event:
    """``call`` is the CallSid; ``trace`` a W3C traceparent or empty."""

    kind: ClassVar[str] = ""
    version: ClassVar[int] = 1

    call: str
    trace: str = ""

    def key(self) -> str:
        return "0"


@dataclass(frozen=True, kw_only=True)
class Started(Event):
    """The call is on the line. Carries everything that any worker needs to know about it."""

    kind: ClassVar[str] = "started"
    stream_sid: str
    session: str
    direction: Direction
    from_number: str = ""
    to_number: str = ""
    context: Mapping[str, str] = field(default_factory=dict)
    agent: Agent


@dataclass(frozen=True, kw_only=True)
class Resumed(Event):
    """The call came back on another stream (a gateway died, or a connection broke)."""

    kind: ClassVar[str] = "resumed"
    stream_sid: str

    def key(self) -> str:
        return self.stream_sid


@dataclass(frozen=True, kw_only=True)
class Attached(Event):
    """An STT worker holds the call. The stream sequence of this event is its fencing token (``holder``)."""

    kind: ClassVar[str] = "attached"
    worker: str
    nonce: str

    def key(self) -> str:
        return self.nonce


@dataclass(frozen=True, kw_only=True)
class SpeechStarted(Event):
    """``over_agent``: strong and sustained while the agent was audible; the gateway holds its playout."""

    kind: ClassVar[str] = "speech_started"
    holder: int
    media_ms: int
    over_agent: bool

    def key(self) -> str:
        return f"{self.holder}.{self.media_ms}"


@dataclass(frozen=True, kw_only=True)
class BargeIn(Event):
    """The speech over the agent was meant: words that are no backchannel, or long enough, or a key press."""

    kind: ClassVar[str] = "barge_in"
    holder: int
    media_ms: int
    by: Literal["words", "duration", "dtmf"]

    def key(self) -> str:
        return f"{self.holder}.{self.media_ms}"


@dataclass(frozen=True, kw_only=True)
class Utterance(Event):
    """The caller's part of a turn. Empty ``text``: speech without words, no input, the time limit, or a machine that is
    through with its greeting.

    ``start_media_ms``/``end_media_ms``: first and last speech. ``endpoint_ms``: last speech to decision.
    ``recognition_ms``: decision to text. ``dropped_frames``: caller frames the recognizer never saw.
    A backchannel keeps the turn that was audible, or the latest (0 = there was none yet); it is no job. Without a text
    it was a noise: whoever was told that somebody began to speak knows by it that it was nothing.
    """

    kind: ClassVar[str] = "utterance"
    holder: int
    turn: int
    attempt: int = 0
    text: str
    start_media_ms: int
    end_media_ms: int
    ended_by: EndedBy
    confidence: float = 1.0
    final: bool = True
    backchannel: bool = False
    endpoint_ms: float = 0.0
    recognition_ms: float = 0.0
    dropped_frames: int = 0

    def key(self) -> str:
        return f"backchannel.{self.end_media_ms}" if self.backchannel else f"{self.turn}.{self.attempt}"


@dataclass(frozen=True, kw_only=True)
class UtteranceConfirmed(Event):
    """The tentative utterance was right. ``ended_by``, ``endpoint_ms`` and ``recognition_ms`` are those of the turn's
    end; the utterance has those of the guess.
    """

    kind: ClassVar[str] = "utterance_confirmed"
    holder: int
    turn: int
    attempt: int
    ended_by: EndedBy = "provider"
    endpoint_ms: float = 0.0
    recognition_ms: float = 0.0

    def key(self) -> str:
        return f"{self.turn}.{self.attempt}"


@dataclass(frozen=True, kw_only=True)
class UtteranceWithdrawn(Event):
    """The caller went on before any of the reply was audible: all work for (turn, attempt) is void."""

    kind: ClassVar[str] = "utterance_withdrawn"
    holder: int
    turn: int
    attempt: int

    def key(self) -> str:
        return f"{self.turn}.{self.attempt}"


@dataclass(frozen=True, kw_only=True)
class Sentence(Event):
    """The agent will say this. Everything a TTS worker needs is in it.

    ``first_token_ms``: job received to first token. ``ready_ms``: job received to this sentence. ``fallback``: no
    model said it; ``cause`` is why (a ProviderError's cause). ``meanwhile``: a tool was under way, and this is what is
    said so long. ``tools_ms``: how much of ``first_token_ms`` was spent in tools. ``notice``: it belongs to what
    callers must be told before they are recorded; once its ``end`` was heard, they have been.
    """

    kind: ClassVar[str] = "sentence"
    turn: int
    attempt: int = 0
    index: int
    text: str
    voice: Voice
    interruptible: bool = True
    fallback: bool = False
    cause: str = ""
    meanwhile: bool = False
    notice: Literal["", "part", "end"] = ""
    first_token_ms: float = 0.0
    tools_ms: float = 0.0
    ready_ms: float = 0.0

    def key(self) -> str:
        return f"{self.turn}.{self.attempt}.{self.index}"


@dataclass(frozen=True, kw_only=True)
class ReplyEnded(Event):
    """No more sentences come for (turn, attempt)."""

    kind: ClassVar[str] = "reply_ended"
    turn: int
    attempt: int = 0
    sentences: int
    reason: Literal["complete", "fallback", "cancelled", "takeover", "length", "cut_off"]
    provider: str = ""
    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    total_ms: float = 0.0

    def key(self) -> str:
        return f"{self.turn}.{self.attempt}"


@dataclass(frozen=True, kw_only=True)
class ToolCalled(Event):
    """Published before the tool does anything: without ``tool_returned`` nobody knows whether it did.

    ``arguments`` is JSON, redacted as the agent says. ``round``: how often tools were called in this reply before;
    ``said``: how many of its sentences came before.
    """

    kind: ClassVar[str] = "tool_called"
    turn: int
    attempt: int = 0
    index: int
    name: str
    arguments: str = "{}"
    round: int = 0
    said: int = 0

    def key(self) -> str:
        return f"{self.turn}.{self.attempt}.{self.index}"


@dataclass(frozen=True, kw_only=True)
class ToolReturned(Event):
    kind: ClassVar[str] = "tool_returned"
    turn: int
    attempt: int = 0
    index: int
    name: str
    ok: bool
    result: str = ""
    duration_ms: float = 0.0

    def key(self) -> str:
        return f"{self.turn}.{self.attempt}.{self.index}"


@dataclass(frozen=True, kw_only=True)
class Heard(Event):
    """The verdict on one sentence: all of it was played, or ``played_ms`` and ``text`` of it.

    ``synthesis_ms``: TTS job to its first audio. ``response_ms`` (first sentence of a turn, else 0): the caller's
    last speech to the first agent frame sent, on the gateway's clock. ``underrun_ms``: gaps inside the sentence.
    """

    kind: ClassVar[str] = "heard"
    stream_sid: str
    turn: int
    attempt: int = 0
    sentence: int
    complete: bool
    played_ms: int
    text: str
    known_by: Literal["mark", "clock"]
    synthesis_ms: float = 0.0
    response_ms: float = 0.0
    underrun_ms: float = 0.0

    def key(self) -> str:
        return f"{self.turn}.{self.attempt}.{self.sentence}"


@dataclass(frozen=True, kw_only=True)
class Paused(Event):
    """Playout is held for speech over the agent. ``reaction_ms``: the caller's frame to ``clear`` sent."""

    kind: ClassVar[str] = "paused"
    stream_sid: str
    turn: int
    sentence: int
    played_ms: int
    media_ms: int
    reaction_ms: float = 0.0

    def key(self) -> str:
        return f"{self.stream_sid}.{self.media_ms}"


@dataclass(frozen=True, kw_only=True)
class Continued(Event):
    """Playout went on from the last heard word: the speech over the agent meant nothing."""

    kind: ClassVar[str] = "continued"
    stream_sid: str
    turn: int
    sentence: int
    media_ms: int

    def key(self) -> str:
        return f"{self.stream_sid}.{self.media_ms}"


@dataclass(frozen=True, kw_only=True)
class Interrupted(Event):
    """The caller took the turn. Sentences before ``sentence`` were heard whole, of it ``played_ms`` and ``text``."""

    kind: ClassVar[str] = "interrupted"
    stream_sid: str
    turn: int
    attempt: int = 0
    sentence: int
    played_ms: int
    text: str
    response_ms: float = 0.0

    def key(self) -> str:
        return f"{self.turn}.{self.attempt}"


@dataclass(frozen=True, kw_only=True)
class Dtmf(Event):
    kind: ClassVar[str] = "dtmf"
    stream_sid: str
    sequence: int
    digit: str
    media_ms: int

    def key(self) -> str:
        return f"{self.stream_sid}.{self.sequence}"


@dataclass(frozen=True, kw_only=True)
class Status(Event):
    """What the carrier reported: a call status, or (``answered_by``) an answering-machine result.

    A call that nobody answers has no ``started``: its session, direction and numbers are known from here.
    """

    kind: ClassVar[str] = "status"
    sequence: int
    session: str = ""
    direction: Direction | Literal[""] = ""
    from_number: str = ""
    to_number: str = ""
    status: str = ""
    answered_by: str = ""
    duration_s: int = 0
    sip_code: int = 0

    def key(self) -> str:
        return "amd" if self.answered_by else str(self.sequence)


@dataclass(frozen=True, kw_only=True)
class HangupRequested(Event):
    """The agent wants to hang up once what it said has been heard. A later utterance cancels it."""

    kind: ClassVar[str] = "hangup_requested"
    turn: int
    attempt: int = 0
    reason: str

    def key(self) -> str:
        return f"{self.turn}.{self.attempt}"


@dataclass(frozen=True, kw_only=True)
class TransferRequested(Event):
    """``target``: a name of the agent's ``transfer_targets``."""

    kind: ClassVar[str] = "transfer_requested"
    turn: int
    attempt: int = 0
    target: str
    reason: str = ""

    def key(self) -> str:
        return f"{self.turn}.{self.attempt}"


@dataclass(frozen=True, kw_only=True)
class DoNotCallRequested(Event):
    """The person at the other end wants no more calls. ``text`` is how they said it: the evidence.

    May come after ``ended``: they need not wait for an answer.
    """

    kind: ClassVar[str] = "do_not_call_requested"
    turn: int
    attempt: int = 0
    text: str

    def key(self) -> str:
        return f"{self.turn}.{self.attempt}"


@dataclass(frozen=True, kw_only=True)
class RecordingStarted(Event):
    """From here on both sides of the stream are written to the file ``place``, in the recordings that ``store`` names.

    A stream that has this and no ``recording_ended`` was left by a gateway that died: its file ends a second earlier.
    """

    kind: ClassVar[str] = "recording_started"
    stream_sid: str
    store: str
    place: str

    def key(self) -> str:
        return self.stream_sid


@dataclass(frozen=True, kw_only=True)
class RecordingEnded(Event):
    """The file is closed. ``length_ms`` and ``size_bytes`` (the whole file) are what is in it, ``sha256`` (hex) is that
    of the whole file; empty where it could not be read again.

    ``lost_ms``: of that length, silence in the place of what could not be written. ``cause``: why, or why there is
    no file; empty = nothing is missing. ``not_closed``: the disk did not answer, so how much is in it is not known.
    """

    kind: ClassVar[str] = "recording_ended"
    stream_sid: str
    store: str = ""
    place: str = ""
    length_ms: int = 0
    size_bytes: int = 0
    sha256: str = ""
    lost_ms: int = 0
    cause: str = ""

    def key(self) -> str:
        return self.stream_sid


@dataclass(frozen=True, kw_only=True)
class Disconnected(Event):
    """The media socket closed without ``stop``; the call may come back as ``resumed``."""

    kind: ClassVar[str] = "disconnected"
    stream_sid: str
    code: int

    def key(self) -> str:
        return self.stream_sid


@dataclass(frozen=True, kw_only=True)
class Ended(Event):
    """Exactly once in a call's life. ``unsaid``: nobody told the caller why; the carrier's own voice is to do it."""

    kind: ClassVar[str] = "ended"
    reason: EndReason
    detail: str = ""
    unsaid: bool = False


@dataclass(frozen=True, kw_only=True)
class ReportDelivered(Event):
    kind: ClassVar[str] = "report_delivered"
    attempts: int


@dataclass(frozen=True, kw_only=True)
class ReportLost(Event):
    kind: ClassVar[str] = "report_lost"
    attempts: int
    error: str


#: Every event class by kind. docs/events.md and the codec are made from it.
KINDS: dict[str, type[Event]] = {
    cls.kind: cls
    for cls in (
        Started, Resumed, Attached, SpeechStarted, BargeIn, Utterance, UtteranceConfirmed, UtteranceWithdrawn,
        Sentence, ReplyEnded, ToolCalled, ToolReturned, Heard, Paused, Continued, Interrupted, Dtmf, Status,
        HangupRequested, TransferRequested, DoNotCallRequested, RecordingStarted, RecordingEnded, Disconnected,
        Ended, ReportDelivered, ReportLost,
    )
}  # fmt: skip


@dataclass(frozen=True)
class Stored:
    """An event in the log: ``sequence`` orders it, ``time_s`` (Unix) is when the stream stored it."""

    sequence: int
    time_s: float
    event: Event
