"""Timing of one small operation."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

#: A batch is long against the clock's resolution, and short against whatever else the machine does.
_BATCH_S: Final = 0.02
_BATCHES: Final = 15


@dataclass(frozen=True)
class Case:
    """One operation. ``per_call_s``: how often a running call does it each second, which gives its share of a core."""

    name: str
    operation: Callable[[], object]
    per_call_s: float = 0.0


@dataclass(frozen=True)
class Timing:
    """Seconds an operation takes: the median of the batches, and the quickest one."""

    name: str
    median_s: float
    best_s: float
    per_call_s: float

    @property
    def core_share_100_calls(self) -> float:
        """What part of one core 100 calls spend on it."""
        return self.median_s * self.per_call_s * 100


def measure(case: Case, *, batch_s: float = _BATCH_S, batches: int = _BATCHES) -> Timing:
    repeats = 1
    while _time(case.operation, repeats) < batch_s:
        repeats *= 2
    times = [_time(case.operation, repeats) / repeats for _ in range(batches)]
    return Timing(case.name, statistics.median(times), min(times), case.per_call_s)


def _time(operation: Callable[[], object], repeats: int) -> float:
    began = time.perf_counter()
    for _ in range(repeats):
        operation()
    return time.perf_counter() - began


def table(timings: list[Timing]) -> Iterator[str]:
    yield f"{'operation':<46} {'median':>10} {'best':>10} {'a second':>12} {'100 calls':>10}"
    for timing in timings:
        share = f"{timing.core_share_100_calls:.1%}" if timing.per_call_s else ""
        yield (
            f"{timing.name:<46} {_duration(timing.median_s):>10} {_duration(timing.best_s):>10}"
            f" {1 / timing.median_s:>12,.0f} {share:>10}"
        )


def _duration(seconds: float) -> str:
    return f"{seconds * 1e3:.2f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.2f} us"
