"""How many more calls the workers could take: asked before a telephone rings."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from voxbus.common import subjects, telemetry
from voxbus.common.bus import Bus

#: A worker that takes longer to say that it is free is not.
_ANSWER_S: Final = 0.3
#: What was said is good for so long; calls that were dialled since are counted besides.
_GOOD_S: Final = 0.5
#: Whoever has so much room is not asked how much more the others have.
_PLENTY: Final = 64

_FREE = telemetry.gauge(
    "scheduler_free_calls", "How many more calls the workers said they could take; -1: nobody said."
)


class Capacity:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._free: int | None = None
        self._asked_s = -_GOOD_S

    async def free(self) -> int | None:
        """How many calls more; None when nobody answers."""
        if time.monotonic() - self._asked_s >= _GOOD_S:
            stt, llm, tts = await asyncio.gather(*(self._ask(worker) for worker in ("stt", "llm", "tts")))
            # STT holds a call for its whole length, LLM and TTS for a turn: there it is enough that somebody is free.
            self._free = stt if stt is None or (llm and tts) else 0
            self._asked_s = time.monotonic()
            _FREE.set(-1 if self._free is None else self._free)
        return self._free

    async def _ask(self, worker: str) -> int | None:
        said: int | None = None
        async for answer in self._bus.ask_all(subjects.capacity(worker), b"", _ANSWER_S):
            said = (said or 0) + (int(answer) if answer.isdigit() else 0)
            if said >= _PLENTY:
                break
        return said
