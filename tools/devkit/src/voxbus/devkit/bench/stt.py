"""What STT pays for a call: voice activity, alone and in one batch with others."""

from __future__ import annotations

import numpy as np

from voxbus.common.audio import mulaw_encode
from voxbus.devkit.bench.timing import Case
from voxbus.stt.vad import RATE_HZ, WINDOW, VoiceActivity

_WINDOWS_A_SECOND = RATE_HZ / WINDOW


def cases() -> list[Case]:
    return [_batch(calls) for calls in (1, 10, 100)]


def _batch(calls: int) -> Case:
    vad = VoiceActivity(calls)
    rows = [vad.open() for _ in range(calls)]
    noise = np.random.default_rng(1).normal(size=(calls, WINDOW)) * 2000
    windows = [mulaw_encode(row.astype(np.int16)) for row in noise]
    name = f"voice activity, a window of {calls} call{'s' if calls > 1 else ''}"
    return Case(name, lambda: vad.step(rows, windows), _WINDOWS_A_SECOND / calls)
