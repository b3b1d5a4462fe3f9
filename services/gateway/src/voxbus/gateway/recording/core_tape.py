"""Both sides of a call in pairs of frames, on one time line: that of the caller's frames. Pure.

    caller     c0 c1 c2       c5 c6      by media time
    sent          [a0 a1 a2 a3]          ahead of time, then clear
    pairs      c0 c1 c2 __ __ c5 c6
               __ a0 a1 a2 __ __ __

The carrier plays a frame in the time in which it sends us one. So each of the caller's frames takes one out of what the
carrier holds, and no clocks are compared that may drift apart. What a ``clear`` throws away is counted by time, as the
playout clock does: frames of the caller that are late must not make unheard what was played meanwhile.
"""

from __future__ import annotations

from collections import deque
from math import ceil
from typing import Final

from voxbus.common.audio import FRAME_BYTES, FRAME_MS, SILENCE

QUIET: Final = bytes([SILENCE]) * FRAME_BYTES

#: The caller's frames come this late as a rule on a bad line; what is sent meanwhile is taken to be played at once.
_JITTER_MS: Final = 100.0
#: Frames that are later than this are given up: their place is silence.
STALL_MS: Final = 3000.0


class Tape:
    """Times are ms: ``media_ms`` on the caller's clock, ``now_ms`` monotonic. ``late``: frames after their place was
    given up.

    It follows the line from the beginning, and keeps pairs once ``runs`` is set.
    """

    __slots__ = (
        "_arrived_ms",
        "_began_ms",
        "_end_ms",
        "_frames",
        "_held",
        "_line_ms",
        "_pairs",
        "late",
        "runs",
    )

    def __init__(self, now_ms: float) -> None:
        self.runs = False
        self.late = 0
        self._held: deque[bytes] = deque()
        self._end_ms = 0.0
        self._arrived_ms = now_ms
        self._line_ms = -1
        self._began_ms = now_ms
        self._frames = 0  # of the line, kept or not
        self._pairs: list[bytes] = []

    def caller(self, media_ms: int, audio: bytes, now_ms: float) -> None:
        """A frame of the caller came in."""
        if self._line_ms < 0:
            self._line_ms, self._began_ms = media_ms, now_ms
        ahead_ms = media_ms - self._line_ms
        if ahead_ms >= FRAME_MS:
            self._jump(ahead_ms // FRAME_MS, now_ms)
        elif ahead_ms <= -FRAME_MS:
            self.late += 1
            return
        self._arrived_ms = now_ms
        self._pair(audio)

    def sent(self, audio: bytes, now_ms: float) -> None:
        """The agent's next frames left. ``audio``: a multiple of 160 bytes."""
        held = self._held
        late_ms = now_ms - self._arrived_ms
        if not held and late_ms > _JITTER_MS:
            # The carrier has nothing to play but this, at the end of what the late frames will fill.
            held.extend([QUIET] * int(late_ms / FRAME_MS))
        frames = [audio[at : at + FRAME_BYTES] for at in range(0, len(audio), FRAME_BYTES)]
        held.extend(frames)
        self._end_ms = max(self._end_ms, now_ms) + len(frames) * FRAME_MS

    def cleared(self, now_ms: float) -> None:
        """The carrier throws away what it has not played."""
        held = self._held
        for _ in range(min(len(held), ceil((self._end_ms - now_ms) / FRAME_MS))):
            held.pop()
        self._end_ms = min(self._end_ms, now_ms)

    def tick(self, now_ms: float) -> None:
        """The line goes on, also when nothing comes in."""
        frames = int((now_ms - self._arrived_ms - STALL_MS) / FRAME_MS)
        if frames > 0 and self._line_ms >= 0:
            self._silence(frames)
            self._arrived_ms += frames * FRAME_MS

    @property
    def waiting(self) -> int:
        """How many pairs wait to be taken."""
        return len(self._pairs) // 2

    def take(self) -> list[bytes]:
        """The pairs since the last time: a frame of the caller, one of the agent, and so on."""
        pairs, self._pairs = self._pairs, []
        return pairs

    def _jump(self, frames: int, now_ms: float) -> None:
        """Frames are missing. Time that did not pass for us either is none of which silence could be kept."""
        room = int((now_ms - self._began_ms + STALL_MS) / FRAME_MS) - self._frames
        silent = min(frames, max(0, room))
        self._silence(silent)
        self._line_ms += (frames - silent) * FRAME_MS

    def _silence(self, frames: int) -> None:
        for _ in range(frames):
            self._pair(QUIET)

    def _pair(self, audio: bytes) -> None:
        agent = self._held.popleft() if self._held else QUIET
        self._line_ms += FRAME_MS
        self._frames += 1
        if self.runs:
            self._pairs.append(audio)
            self._pairs.append(agent)
