"""One call's error is that call's own."""

from __future__ import annotations

import asyncio

import pytest

from voxbus.stt.core_frames import SILENCE, WINDOW_BYTES
from voxbus.stt.ticker import Ticker
from voxbus.stt.vad import VoiceActivity


class Listener:
    def __init__(self, row: int, breaks: str = "") -> None:
        self.row = row
        self.windows = 3
        self.heard: list[float] = []
        self.errors: list[Exception] = []
        self._breaks = breaks

    def next_window(self) -> bytes | None:
        if self._breaks == "before":
            raise RuntimeError("before")
        self.windows -= 1
        return SILENCE * WINDOW_BYTES if self.windows >= 0 else None

    def on_probability(self, probability: float) -> None:
        if self._breaks == "after":
            self.windows = 0
            raise RuntimeError("after")
        self.heard.append(probability)

    def fail(self, error: Exception) -> None:
        self.errors.append(error)


@pytest.mark.parametrize("breaks", ["before", "after"])
async def test_an_error_in_one_call_harms_no_other(breaks: str) -> None:
    vad = VoiceActivity(3)
    ticker = Ticker(vad)
    listeners = [Listener(vad.open()), Listener(vad.open(), breaks), Listener(vad.open())]
    for listener in listeners:
        ticker.ready(listener)
    async with asyncio.timeout(30):
        while any(len(listener.heard) < 3 for listener in (listeners[0], listeners[2])):
            await asyncio.sleep(0.001)
    assert [str(error) for error in listeners[1].errors] == [breaks]
    ticker.stop()
