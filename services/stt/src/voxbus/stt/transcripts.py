"""The results of a call's recognitions, in the order in which they were finished."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from voxbus.common.errors import ProviderError
from voxbus.common.logs import get_logger
from voxbus.common.telemetry import counter, histogram_ms
from voxbus.stt.recognizer import Recognition, Transcript

log = get_logger(__name__)

FAILURES = counter("stt_recognition_failures", "Recognitions that failed, by cause.", "cause")
RECOGNITION = histogram_ms("stt_recognition", "End of a turn to its text.")


class Transcripts:
    def __init__(self, sid: str) -> None:
        self._sid = sid
        self._finished: asyncio.Queue[tuple[Recognition, bool, float]] = asyncio.Queue()

    def finish(self, recognition: Recognition, *, looked: bool) -> None:
        """No more audio of it comes."""
        self._finished.put_nowait((recognition, looked, time.perf_counter()))

    async def run(self, take: Callable[[Transcript, float], None]) -> None:
        """``take`` gets each, and how many ms after its end it was there."""
        while True:
            recognition, looked, finished_at_s = await self._finished.get()
            try:
                transcript = await recognition.finish(looked=looked)
            except ProviderError as error:
                # To the caller it is as if there had been no words: the agent asks again.
                log.warning("recognition failed", call_sid=self._sid, cause=error.cause)
                FAILURES.labels(error.cause).inc()
                transcript = Transcript("", 0.0)
            recognition_ms = (time.perf_counter() - finished_at_s) * 1000
            RECOGNITION.observe(recognition_ms)
            take(transcript, recognition_ms)
