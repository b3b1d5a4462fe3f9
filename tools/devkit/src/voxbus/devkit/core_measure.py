"""What a recording says by itself: who was audible when, and where nobody was."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voxbus.common.audio import FRAME_BYTES, Pcm
from voxbus.devkit.carrier.core_ear import SPEECH_DBFS
from voxbus.devkit.carrier.core_spans import Span, spans


def audible(audio: Pcm, floor_dbfs: float = SPEECH_DBFS) -> NDArray[np.bool_]:
    """One flag for each 20 ms frame: whether anything in it is louder than ``floor_dbfs`` (RMS)."""
    frames = audio[: len(audio) // FRAME_BYTES * FRAME_BYTES].reshape(-1, FRAME_BYTES).astype(np.float64)
    loud: NDArray[np.bool_] = np.sqrt(np.mean(frames**2, axis=1)) > 32768 * 10 ** (floor_dbfs / 20)
    return loud


def dead_air(
    caller: Pcm, agent: Pcm, longer_than_ms: int, floor_dbfs: float = SPEECH_DBFS
) -> tuple[Span, ...]:
    """Where both sides were silent for longer than that. ``floor_dbfs`` must lie above the noise of the line."""
    quiet = ~(audible(caller, floor_dbfs) | audible(agent, floor_dbfs))
    return tuple(span for span in spans(quiet) if span.duration_ms > longer_than_ms)
