"""What is fuzzed, and the loop that does it for so many seconds."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

#: One round, after which another seed begins anew: long enough to grow strange, short enough to stop on time.
_ROUND: Final = 100


@dataclass(frozen=True)
class Target:
    """``check`` takes what ``strategy`` makes. ``again``: it may be tried again and again, until what
    fails is as small as it can be.
    """

    name: str
    strategy: SearchStrategy[Any]
    check: Callable[[Any], None]
    again: bool = True


def spend(target: Target, seconds: float, first_seed: int) -> int:
    """Tries for so long; returns how many examples that were. Raises what the check raised, with the example in its
    notes."""
    until = time.monotonic() + seconds
    tried, failed = 0, False
    phases = (Phase.generate, Phase.shrink) if target.again else (Phase.generate,)

    def check(value: Any) -> None:
        nonlocal tried, failed
        # One is tried however long it took to make it, and what has failed is tried again when the time is over.
        if tried and not failed and time.monotonic() >= until:
            return
        tried += 1
        try:
            target.check(value)
        except BaseException:
            failed = True
            raise

    round_ = first_seed
    while time.monotonic() < until:
        limits = settings(
            max_examples=_ROUND,
            deadline=None,
            database=None,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        )
        seed(round_)(limits(given(target.strategy)(check)))()
        round_ += 1
    return tried


def peak_mb() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
