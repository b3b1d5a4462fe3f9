"""The carrier's playout buffer, on virtual time: it moves only when ``play`` says so.

    media --> [ queue ] --> 8 bytes a ms to the caller
    mark  --> comes back once everything queued before it was played, or at once when nothing is queued
    clear --> drops the queue, and brings back every pending mark

Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages (media, mark and clear to Twilio). A limit
of the queue is not documented; there is none here either.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

#: mu-law of digital silence.
SILENCE = b"\xff"


@dataclass(frozen=True)
class Played:
    """What the caller heard in one step: ``audio`` (mu-law), of which the first ``agent_bytes`` were queued media and
    the rest is silence; ``marks`` that are due after it, in order."""

    audio: bytes
    agent_bytes: int
    marks: tuple[str, ...]


class PlayoutBuffer:
    def __init__(self) -> None:
        self._queue = bytearray()
        self._taken = 0  # bytes that left the queue, played or cleared
        self._marks: deque[tuple[int, str]] = deque()  # (bytes that must have left before it, name)

    @property
    def queued_bytes(self) -> int:
        return len(self._queue)

    @property
    def pending_marks(self) -> tuple[str, ...]:
        return tuple(name for _, name in self._marks)

    def media(self, payload: bytes) -> None:
        self._queue += payload

    def mark(self, name: str) -> tuple[str, ...]:
        """The marks to send back now: this one, when nothing is queued before it."""
        if not self._queue:
            return (name,)
        self._marks.append((self._taken + len(self._queue), name))
        return ()

    def clear(self) -> tuple[str, ...]:
        """The marks to send back now: all that were pending."""
        self._taken += len(self._queue)
        self._queue.clear()
        return self._due()

    def play(self, n_bytes: int) -> Played:
        """Time goes on by ``n_bytes`` of audio (8 bytes a ms)."""
        audio = bytes(self._queue[:n_bytes])
        del self._queue[:n_bytes]
        self._taken += len(audio)
        return Played(audio + SILENCE * (n_bytes - len(audio)), len(audio), self._due())

    def _due(self) -> tuple[str, ...]:
        due: list[str] = []
        while self._marks and self._marks[0][0] <= self._taken:
            due.append(self._marks.popleft()[1])
        return tuple(due)
