"""A line on virtual time, and what is said on it."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from .line import Line


@pytest.fixture
def line() -> Line:
    """The agent may speak: turn 1, an inbound greeting, is due."""
    return Line(inbound=True)


@pytest.fixture(scope="session")
def speech() -> Callable[[int], bytes]:
    """``ms`` of audio, no two places of which are alike, and none like the padding."""

    def make(ms: int, seed: int = 1) -> bytes:
        values = itertools.cycle(range(seed, 251))
        return bytes(next(values) for _ in range(ms * 8))

    return make
