"""The caller's frames of the unfinished turn, for an STT worker that comes late."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Final

from voxbus.common.audio import FRAME_MS

#: Longer than the longest turn (30 s) and a takeover.
KEPT_MS: Final = 45_000
#: Recognition starts before the onset that the VAD sees.
PREROLL_MS: Final = 300


class ReplayRing:
    """Packed ``AudioIn`` messages in order, without a gap in their sequence numbers, 45 s at most."""

    __slots__ = ("_media_ms", "_messages", "_next")

    def __init__(self) -> None:
        frames = KEPT_MS // FRAME_MS
        self._messages: deque[bytes] = deque(maxlen=frames)
        self._media_ms: deque[int] = deque(maxlen=frames)
        self._next = 0

    def add(self, sequence: int, media_ms: int, message: bytes) -> None:
        self._next = sequence + 1
        self._media_ms.append(media_ms)
        self._messages.append(message)

    def turn_ended(self, end_media_ms: int) -> None:
        """What was said up to here is in the log, or was nothing: nobody needs its audio again."""
        keep_from = end_media_ms - PREROLL_MS
        while self._media_ms and self._media_ms[0] < keep_from:
            self._media_ms.popleft()
            self._messages.popleft()

    def messages(self, from_sequence: int = 0) -> list[bytes]:
        """Those from this sequence number on, as far as they are kept."""
        skip = max(0, from_sequence - (self._next - len(self._messages)))
        return list(islice(self._messages, skip, None))
