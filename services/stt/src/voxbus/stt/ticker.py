"""Drives all calls of the worker: one batch of voice activity for whatever windows are ready."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from voxbus.common.telemetry import counter, histogram_ms
from voxbus.stt.vad import VoiceActivity

#: Windows of different calls become ready at any moment; waiting this long for company makes batches of a tenth of the
#: calls. It is a part of every turn's latency, so it is small.
GATHER_S = 0.004
#: A call that catches up has hundreds of windows ready; others wait no longer than these rounds take.
_ROUNDS = 2

_BATCH = histogram_ms("stt_vad_batch", "Duration of one batch of voice activity detection.")
_WINDOWS = counter("stt_vad_windows", "Windows of 32 ms in those batches.")


class Listener(Protocol):
    """A call, as the ticker sees it."""

    row: int

    def next_window(self) -> bytes | None:
        """Audio for the next inference, or None."""

    def on_probability(self, probability: float) -> None:
        """The result for that window."""

    def fail(self, error: Exception) -> None:
        """One of the above raised: this call ends here, the others never notice."""


class Ticker:
    def __init__(self, vad: VoiceActivity) -> None:
        self._vad = vad
        self._waiting: dict[Listener, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def ready(self, listener: Listener) -> None:
        """``listener`` has a window. Its turn comes within ``GATHER_S``."""
        self._waiting[listener] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER_S, self._tick)

    def forget(self, listener: Listener) -> None:
        self._waiting.pop(listener, None)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        self._timer = None
        for _ in range(_ROUNDS):
            batch = self._gather()
            if not batch:
                return
            self._infer(batch)
        self._timer = asyncio.get_running_loop().call_later(0, self._tick)

    def _gather(self) -> list[tuple[Listener, bytes]]:
        batch = []
        for listener in tuple(self._waiting):
            try:
                window = listener.next_window()
            except Exception as error:  # noqa: BLE001 - the call hears of it
                window = None
                listener.fail(error)
            if window is None:
                del self._waiting[listener]
            else:
                batch.append((listener, window))
        return batch

    def _infer(self, batch: list[tuple[Listener, bytes]]) -> None:
        started = time.perf_counter()
        probabilities = self._vad.step(
            [listener.row for listener, _ in batch], [window for _, window in batch]
        )
        _BATCH.observe((time.perf_counter() - started) * 1000)
        _WINDOWS.inc(len(batch))
        for (listener, _), probability in zip(batch, probabilities, strict=True):
            try:
                listener.on_probability(probability)
            except Exception as error:  # noqa: BLE001 - the call hears of it
                listener.fail(error)
