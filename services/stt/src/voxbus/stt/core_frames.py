"""A caller's frames become one line of audio without holes: order, gaps, history, windows.

Replayed and live frames may overlap; the sequence number tells. What is missing is silence, and counted.
"""

from __future__ import annotations

from collections import deque

from voxbus.common.codec import AudioIn
from voxbus.stt.core_speech import WINDOW_MS
from voxbus.stt.core_timing import PRE_ROLL_MS

BYTES_PER_MS = 8
WINDOW_BYTES = WINDOW_MS * BYTES_PER_MS
SILENCE = b"\xff"

#: Audio kept behind the windows that were taken: a recognition starts before the onset of speech, and the onset is
#: known some windows late.
_HISTORY_BYTES = (PRE_ROLL_MS + 16 * WINDOW_MS) * BYTES_PER_MS
#: A hole that is longer is not filled: the position jumps.
_LONGEST_HOLE_MS = 2000


class FrameLine:
    """``position_ms`` is where the next window ends up on the media clock."""

    def __init__(self) -> None:
        self._audio = bytearray()  # history, then what no window has taken yet
        self._taken = 0  # bytes of _audio that windows have taken
        self._start_ms = 0  # media position of _audio[0]
        self._next = -1
        self._audible: deque[tuple[int, tuple[int, int]]] = deque([(0, (0, 0))])  # from when on, what
        self.missing_frames = 0

    def next_wanted(self) -> int:
        """The sequence number that should come now."""
        return max(0, self._next)

    def put(self, frame: AudioIn) -> bool:
        """False for a frame that is here already."""
        if frame.sequence < self._next:
            return False
        if self._next < 0:
            self._start_ms = frame.media_ms
        else:
            self.missing_frames += frame.sequence - self._next
            self._fill(frame.media_ms)
        self._next = frame.sequence + 1
        if self._audible[-1][1] != (frame.turn, frame.sentence):
            self._audible.append((frame.media_ms, (frame.turn, frame.sentence)))
        self._audio += frame.audio
        return True

    def _fill(self, media_ms: int) -> None:
        """Audio may be missing without a frame being so: what the carrier lost never became one."""
        hole_ms = media_ms - self._start_ms - len(self._audio) // BYTES_PER_MS
        if hole_ms > _LONGEST_HOLE_MS:
            self._start_ms += hole_ms
        elif hole_ms > 0:
            self._audio += SILENCE * (hole_ms * BYTES_PER_MS)

    def backlog_ms(self) -> int:
        """Audio that no window has taken."""
        return (len(self._audio) - self._taken) // BYTES_PER_MS

    def skip(self, ms: int) -> None:
        """Gives up the oldest audio that no window has taken."""
        self._taken = min(len(self._audio), self._taken + ms * BYTES_PER_MS)

    def window(self) -> tuple[int, bytes] | None:
        """The next window: where it starts on the media clock, and its bytes. None until there is a whole one."""
        end = self._taken + WINDOW_BYTES
        if end > len(self._audio):
            return None
        window = bytes(self._audio[self._taken : end])
        start_ms = self._start_ms + self._taken // BYTES_PER_MS
        self._taken = end
        if self._taken > 2 * _HISTORY_BYTES:
            cut = self._taken - _HISTORY_BYTES
            cut -= cut % BYTES_PER_MS
            del self._audio[:cut]
            self._taken -= cut
            self._start_ms += cut // BYTES_PER_MS
        return start_ms, window

    def step_back(self, ms: int) -> None:
        """The next window begins ``ms`` earlier, with audio that the last one had."""
        self._taken = max(0, self._taken - ms * BYTES_PER_MS)

    def audible_at(self, media_ms: int) -> tuple[int, int]:
        """(turn, sentence) of the agent that was audible then. Asked with rising times."""
        while len(self._audible) > 1 and self._audible[1][0] <= media_ms:
            self._audible.popleft()
        return self._audible[0][1]

    def since(self, from_ms: int) -> bytes:
        """The audio from ``from_ms``, as far back as it is kept, to the last window that was taken."""
        start = max(0, (from_ms - self._start_ms) * BYTES_PER_MS)
        return bytes(self._audio[start : self._taken])


def late_ms(backlog_ms: int, waiting_ms: float, burst_ms: int, longest_ms: int = 1000) -> int:
    """The policy for a worker that is slower than real time: how much of the oldest audio is given up.

    ``waiting_ms``: how long there has been something to do without a moment of nothing to do; ``burst_ms``: the longest
    backlog in that time. A burst (a replay, a gateway that was held up) holds words that nobody has heard yet: it has
    half its own length to be done in, which takes no more than three times real time. Whoever is slower, or falls
    behind without a burst, gives up the oldest: a late word is worth less than the next one in time, and a queue that
    only grows would make every turn later.
    """
    too_long = waiting_ms - burst_ms / 2 > longest_ms
    return backlog_ms - longest_ms // 2 if backlog_ms > longest_ms and too_long else 0
