"""Stretches of a recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxbus.common.audio import FRAME_MS


@dataclass(frozen=True)
class Span:
    """Milliseconds on the recording, the end not included."""

    start_ms: int
    end_ms: int

    @property
    def duration_ms(self) -> int:
        return self.end_ms - self.start_ms


def spans(frames: Sequence[bool] | NDArray[np.bool_]) -> tuple[Span, ...]:
    """Each run of true flags, of which there is one a 20 ms frame."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], frames, [False])).astype(np.int8)))
    runs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return tuple(Span(start * FRAME_MS, end * FRAME_MS) for start, end in runs)
