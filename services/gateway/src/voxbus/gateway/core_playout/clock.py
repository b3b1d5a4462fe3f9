"""What is audible now, by our own clock.

Twilio plays what it gets at once and in real time, so a frame that was sent while nothing was playing begins now, any
other one behind the last. The line's delay does not matter for a cut: ``clear`` needs as long to arrive as the audio
did, and Twilio has played at its arrival what we had counted as played when it was sent.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from voxbus.common.audio import HZ

if TYPE_CHECKING:
    from voxbus.gateway.core_playout.lines import Line

_BYTES_PER_MS = HZ / 1000


class Run:
    """``size`` bytes of a line, from its byte ``first`` on, audible from ``start_ms`` without a break."""

    __slots__ = ("end_ms", "first", "line", "size", "start_ms")

    def __init__(self, line: Line | None, first: int, size: int, start_ms: float, end_ms: float) -> None:
        self.line = line
        self.first = first
        self.size = size
        self.start_ms = start_ms
        self.end_ms = end_ms

    def played(self, now_ms: float) -> int:
        """The byte of the line up to which this run was played; 0 when it has not begun."""
        if now_ms < self.start_ms:
            return 0
        # Half a sample of tolerance: times are sums of floats, and a whole frame must not count as 159 bytes.
        return self.first + min(self.size, int((now_ms - self.start_ms) * _BYTES_PER_MS + 0.5))


class PlayoutClock:
    __slots__ = ("_runs", "end_ms")

    def __init__(self) -> None:
        self._runs: deque[Run] = deque()
        self.end_ms = 0.0

    def ahead_ms(self, now_ms: float) -> float:
        """How much audio Twilio holds."""
        return max(0.0, self.end_ms - now_ms)

    def sent(self, now_ms: float, line: Line | None, first: int, size: int, sounds_ms: float) -> Run:
        """``size`` bytes of ``line`` left; with their padding they sound for ``sounds_ms``."""
        runs = self._runs
        if runs:
            last = runs[-1]
            if last.end_ms >= now_ms and last.line is line and last.first + last.size == first:
                last.size += size
                last.end_ms += sounds_ms
                self.end_ms = last.end_ms
                return last
        start = max(self.end_ms, now_ms)
        self.end_ms = start + sounds_ms
        run = Run(line, first, size, start, self.end_ms)
        runs.append(run)
        return run

    def audible(self, now_ms: float) -> Run | None:
        """What sounds now. Asked for every caller frame; each run is looked at once after its end."""
        runs = self._runs
        while runs and runs[0].end_ms <= now_ms:
            runs.popleft()
        return runs[0] if runs and runs[0].start_ms <= now_ms else None

    def cut(self, now_ms: float) -> None:
        """What has not sounded yet never will."""
        for run in self._runs:
            if run.end_ms > now_ms:
                run.size = run.played(now_ms) - run.first if run.start_ms < now_ms else 0
                run.end_ms = max(now_ms, run.start_ms)
        self._runs.clear()
        self.end_ms = min(self.end_ms, now_ms)
