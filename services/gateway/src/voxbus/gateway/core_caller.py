"""The caller's audio: whole frames, counted over the call, on one media clock.

Twilio's clock starts at 0 with each stream. Events are named after media times, so a call that comes back on another
stream goes on behind everything that was named before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from voxbus.common import events as ev
from voxbus.common.audio import FRAME_MS, Framer, ms_of
from voxbus.common.events import Stored

#: A jump of Twilio's clock that is longer is no lost audio but a broken clock.
_LONGEST_GAP_MS: Final = 60_000
#: Frames may be some ms ahead of the log, whose clock is another one.
_MARGIN_MS: Final = 400


def resume_at_ms(log: Iterable[Stored], now_s: float, reached: int = 0) -> int:
    """The media time at which the next stream of a call begins: behind everything in its log, and a whole frame.

    0 for a call that has not begun, whatever the carrier reported of it. ``now_s``: Unix time. The time without a
    stream counts, so that the recognizer sees how much was lost. ``reached``: the number of the frame that STT expects
    next, which it takes no other before: our clock is not that by which earlier frames were numbered.
    """
    began_s: float | None = None
    latest = 0
    for stored in log:
        event = stored.event
        if isinstance(event, ev.Started):
            began_s = stored.time_s
        elif isinstance(event, ev.Utterance):
            latest = max(latest, event.end_media_ms)
        elif isinstance(event, ev.SpeechStarted | ev.BargeIn | ev.Paused | ev.Continued | ev.Dtmf):
            latest = max(latest, event.media_ms)
    if began_s is None:
        return 0
    at = max(latest, reached * FRAME_MS, int((now_s - began_s) * 1000)) + _MARGIN_MS
    return -(-at // FRAME_MS) * FRAME_MS


class CallerAudio:
    """``sequence``: the number of the next frame. Across a reconnect it goes on at ``begin_ms`` / 20."""

    __slots__ = ("_arrived_ms", "_begin_ms", "_framer", "_latest_ms", "_next_ms", "sequence")

    def __init__(self, now_ms: float, begin_ms: int = 0) -> None:
        self._framer = Framer()
        self._begin_ms = begin_ms
        self._next_ms = begin_ms
        self._latest_ms = begin_ms
        self._arrived_ms = now_ms
        self.sequence = begin_ms // FRAME_MS

    def feed(self, payload: bytes, timestamp_ms: int, now_ms: float) -> list[tuple[int, int, bytes]]:
        """(sequence, media ms, 160 bytes) of each frame that is whole now.

        ``timestamp_ms``: Twilio's, of the first byte, or -1. A gap in it is audio that never reached us: the media
        clock jumps, and what was left of the frame before is dropped.
        """
        if timestamp_ms >= 0 and self._begin_ms + timestamp_ms != self._next_ms:
            pending = self._framer.pending_bytes
            gap = self._begin_ms + timestamp_ms - self._next_ms - ms_of(pending)
            if FRAME_MS <= gap <= _LONGEST_GAP_MS:
                self._framer.clear()
                self._next_ms = self._begin_ms + timestamp_ms
        frames = []
        for audio in self._framer.feed(payload):
            frames.append((self.sequence, self._next_ms, audio))
            self._latest_ms = self._next_ms
            self.sequence += 1
            self._next_ms += FRAME_MS
        if frames:
            self._arrived_ms = now_ms
        return frames

    @property
    def media_ms(self) -> int:
        """The position of the next frame."""
        return self._next_ms

    def when(self, media_ms: int) -> float:
        """When (ms, monotonic) the frame at ``media_ms`` came in, going back from the latest one."""
        return self._arrived_ms - max(0, self._latest_ms - media_ms)
