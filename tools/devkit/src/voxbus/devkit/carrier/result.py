"""What is left of a call when it is over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from voxbus.devkit.carrier.core_messages import NON_CONFORMING, UNDECODABLE
from voxbus.devkit.carrier.recording import Recording

#: Who ended it: the person on the line, the application (``<Hangup>``, or no verb was left, or over the REST API), a
#: lost connection, or the carrier (no usable TwiML, the time limit, a telephone that nobody answers).
EndedBy = Literal["caller", "application", "connection", "carrier"]


@dataclass(frozen=True)
class Entry:
    """A line in the carrier's debugger. Codes: https://www.twilio.com/docs/api/errors/<code>."""

    code: int
    text: str
    at_ms: float


class Debugger:
    """What the carrier would show to its customer as errors and warnings of a call."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self.entries: list[Entry] = []

    def add(self, code: int, text: str) -> None:
        self.entries.append(Entry(code, text, self._recording.now_ms))

    @property
    def codes(self) -> list[int]:
        return [entry.code for entry in self.entries]

    @property
    def protocol_warnings(self) -> list[Entry]:
        """What the application sent against the protocol. A real carrier logs only the first of a stream."""
        return [entry for entry in self.entries if entry.code in (UNDECODABLE, NON_CONFORMING)]


@dataclass(frozen=True)
class Executed:
    """A verb that ran, and the URL of the document it stood in."""

    verb: str
    source: str
    at_ms: float


@dataclass
class CallResult:
    """Grows while the call lasts. ``status``: as the carrier's records call it.

    ``dialled``: the targets of ``<Dial>``; ``said``: the texts of ``<Say>``.
    """

    call_sid: str
    recording: Recording
    debugger: Debugger
    status: str = "queued"
    ended_by: EndedBy | None = None
    verbs: list[Executed] = field(default_factory=list)
    stream_sids: list[str] = field(default_factory=list)
    dialled: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
