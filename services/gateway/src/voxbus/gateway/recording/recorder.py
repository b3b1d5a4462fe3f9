"""One stream's recording: when it begins and ends, and what the log is told of it.

    notice heard --> file opened --> recording_started        the stream is over --> file closed --> recording_ended
                     |<------------ a second of pairs at a time, to the writer ------------>|

Nothing is kept of what is said before the notice was heard to its end, nor after a machine has answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from voxbus.common.audio import FRAME_MS
from voxbus.common.events import Event, RecordingEnded, RecordingStarted
from voxbus.common.fold import CallState
from voxbus.common.logs import get_logger
from voxbus.gateway import metrics
from voxbus.gateway.recording.core_tape import Tape
from voxbus.gateway.recording.core_wav import interleave, ms_of
from voxbus.gateway.recording.recordings import Recordings
from voxbus.gateway.recording.wav_file import Closed, WavFile, cause_of

#: So many pairs are written at once: what a killed gateway has not written is a second.
CHUNK: Final = 50
#: How long a stream that is over waits for its file; the reporter has no more patience.
CLOSE_S: Final = 3.0

log = get_logger(__name__)


class Recorder:
    """``on``: there is something to follow, since the agent records. Until then no other method need be called."""

    def __init__(
        self,
        recordings: Recordings,
        sid: str,
        stream_sid: str,
        publish: Callable[[Event], None],
        now_ms: Callable[[], float],
    ) -> None:
        self.on = False
        self._shelf = recordings.shelf
        self._writer = recordings.writer
        self._sid = sid
        self._stream_sid = stream_sid
        self._publish = publish
        self._now_ms = now_ms
        self._tape = Tape(0.0)
        self._opening: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._at = 0  # bytes handed over, or dropped
        self._too_slow = False
        self._gave_up = False  # nobody waits for the file any more
        self._store = self._place = ""  # set by the thread before it makes the file
        self._file: WavFile | None = None  # the thread's
        self._fault = ""  # the thread's: why there is none

    # From the call

    def follow(self, state: CallState) -> None:
        """After each event that counts."""
        if not self.on:
            if state.started is None or not state.started.agent.recording:
                return
            self.on, self._tape = True, Tape(self._now_ms())
        if state.to_machine or state.ended is not None:
            self.stop()
        elif self._opening is None and state.notified and state.stream_sid == self._stream_sid:
            self._tape.runs = True
            self._opening = asyncio.create_task(self._open(), name="open a recording")

    def caller(self, media_ms: int, audio: bytes, now_ms: float) -> None:
        """A frame of the caller."""
        tape = self._tape
        tape.caller(media_ms, audio, now_ms)
        if tape.waiting >= CHUNK:
            self._hand_over()

    def sent(self, audio: bytes) -> None:
        """Frames left for the caller."""
        self._tape.sent(audio, self._now_ms())

    def cleared(self) -> None:
        """The carrier was told to forget what it has not played."""
        self._tape.cleared(self._now_ms())

    def tick(self, now_ms: float) -> None:
        self._tape.tick(now_ms)

    def stop(self) -> None:
        """Nothing more of this stream is recorded."""
        if self._opening is not None and self._closing is None:
            self._tape.runs = False
            self._hand_over()
            self._closing = asyncio.create_task(self._close(self._opening), name="close a recording")

    async def close(self) -> None:
        """The stream is over. Returns when its file is closed, or is not in time."""
        self.stop()
        if self._closing is not None:
            await self._closing

    # On the loop

    async def _open(self) -> None:
        fault = await self._writer.ask(self._make)
        if self._gave_up:
            return  # recording_ended has told of it
        if fault:
            log.error("a call cannot be recorded", call_sid=self._sid, cause=fault)
            return
        self._publish(
            RecordingStarted(
                call=self._sid, stream_sid=self._stream_sid, store=self._store, place=self._place
            )
        )

    def _hand_over(self) -> None:
        pairs = self._tape.take()
        at = self._at
        self._at += sum(map(len, pairs))
        if pairs and not self._writer.post(partial(self._write, at, pairs), self._at - at):
            self._too_slow = True

    async def _close(self, opening: asyncio.Task[None]) -> None:
        try:
            async with asyncio.timeout(CLOSE_S):
                # Behind the making of the file, which the thread does first; and done also when it is too late for us.
                closed = await self._writer.ask(partial(self._finish, self._at, self._too_slow))
                await asyncio.shield(opening)
        except TimeoutError:
            self._gave_up = True
            # Nobody knows how much of a file will be there. Where none was begun, none will be.
            closed = (
                Closed(cause="not_closed") if self._place else Closed(lost_bytes=self._at, cause="too_slow")
            )
        lost_ms = ms_of(closed.lost_bytes) + self._tape.late * FRAME_MS
        cause = closed.cause or ("late_frames" if self._tape.late else "")
        metrics.RECORDINGS.labels("incomplete" if cause else "complete").inc()
        metrics.RECORDING_LOST.inc(lost_ms)
        if cause:
            log.error("a recording is incomplete", call_sid=self._sid, cause=cause, lost_ms=lost_ms)
        self._publish(
            RecordingEnded(
                call=self._sid,
                stream_sid=self._stream_sid,
                store=self._store,
                place=self._place,
                length_ms=ms_of(closed.data_bytes),
                size_bytes=closed.size_bytes if closed.sha256 else 0,
                sha256=closed.sha256,
                lost_ms=lost_ms,
                cause=cause,
            )
        )

    # In the writer's thread

    def _make(self) -> str:
        """Why there is no file; empty = there is one."""
        try:
            store = self._shelf.store()
            place, path = self._shelf.make(self._sid, self._stream_sid)
            # In this order: who gives up after we have looked finds the place.
            self._store, self._place = store, place
            if self._gave_up:
                self._fault = "too_slow"
                return self._fault
            self._file = WavFile(path)
        except (OSError, ValueError) as error:
            self._store = self._place = ""
            self._fault = cause_of(error) if isinstance(error, OSError) else "bad_name"
            return self._fault
        return ""

    def _write(self, at: int, pairs: list[bytes]) -> None:
        if self._file is not None:
            self._file.append(at, interleave(pairs))

    def _finish(self, end: int, too_slow: bool) -> Closed:
        if self._file is None:
            return Closed(lost_bytes=end, cause=self._fault)
        if too_slow:
            self._file.note("too_slow")
        return self._file.close(end)
