"""Silero's voice activity detector at 8 kHz, for all calls of the worker in one batch.

One step takes 256 new samples (32 ms) of each call, with the 32 samples before them, and carries a recurrent state per
call. Measured: 104 us for a window alone, 12 to 20 us in a batch of 100. The model accepts wrong lengths, scales and
rates without a word and then hears nothing, so everything that goes in is checked here once.

Model: snakers4/silero-vad 6.2 (MIT). The package needs torch to be imported, so it is not: its data file is read. The
network in it is computed by silero.py; a file with another one, such as a later version's, is run by onnxruntime.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from voxbus.common.audio import mulaw_decode
from voxbus.common.errors import VoxbusError
from voxbus.common.logs import get_logger
from voxbus.stt.silero import STATE, Floats, Network

log = get_logger(__name__)

WINDOW: Final = 256
CONTEXT: Final = 32
RATE_HZ: Final = 8000

#: Mu-law byte to float32 in [-1, 1), the scale that the model was trained on.
_FLOAT: Final = (mulaw_decode(bytes(range(256))) / np.float32(32768)).astype(np.float32)


class VadError(VoxbusError):
    code = "vad"


def model_path() -> Path:
    """The model file in the wheel. Raises VadError when the package is not installed."""
    # find_spec of a top-level package runs none of its code.
    spec = importlib.util.find_spec("silero_vad")
    if spec is None or not spec.submodule_search_locations:
        raise VadError("the package silero-vad is not installed: it brings the model file")
    path = Path(next(iter(spec.submodule_search_locations))) / "data" / "silero_vad.onnx"
    if not path.exists():
        raise VadError("the package silero-vad has no data/silero_vad.onnx: another version is installed")
    return path


class Model(Protocol):
    """One step of a batch."""

    def step(self, samples: Floats, state: Floats) -> tuple[Floats, Floats]:
        """(calls, CONTEXT + WINDOW) in [-1, 1) and (2, calls, STATE) to the probabilities and the next state."""


def load(path: Path) -> Model:
    """Raises VadError for a file that is no model of voice activity."""
    try:
        network = Network(path)
    except (KeyError, ValueError) as unknown:
        # Only here, where it is needed: it takes 40 MB.
        from voxbus.stt.onnx_model import OnnxModel

        try:
            model = OnnxModel(path)
        except ValueError as error:
            raise VadError(f"silero-vad brings no model that can be run: {error}") from error
        log.warning("an unknown network for voice activity: onnxruntime runs it, slower", error=unknown)
        return model
    # Calls share the core with everything else of the worker, and threads wait for each other by spinning.
    threadpool_limits(1, "blas")
    return network


class VoiceActivity:
    """Rows of state for up to ``capacity`` calls. Not thread-safe: one event loop drives it."""

    def __init__(self, capacity: int) -> None:
        self._model = load(model_path())
        self._state = np.zeros((2, capacity, STATE), np.float32)
        self._context = np.zeros((capacity, CONTEXT), np.float32)
        self._free = list(range(capacity - 1, -1, -1))
        self._warm_up()

    def _warm_up(self) -> None:
        """The first inference of a shape allocates; the first caller should not wait for that."""
        row = self.open()
        for _ in range(3):
            self.step([row], [b"\xff" * WINDOW])
        self.close(row)

    def open(self) -> int:
        """A fresh row. Raises VadError when all are taken."""
        if not self._free:
            raise VadError("no free row: more calls than the capacity")
        row = self._free.pop()
        self._state[:, row] = 0
        self._context[row] = 0
        return row

    def close(self, row: int) -> None:
        self._free.append(row)

    def step(self, rows: list[int], windows: list[bytes]) -> list[float]:
        """The probability of speech in one window of ``WINDOW`` mu-law bytes for each row; no row twice."""
        samples = np.frombuffer(b"".join(windows), np.uint8)
        if samples.size != WINDOW * len(rows):
            raise VadError(f"a window is {WINDOW} bytes of mu-law at {RATE_HZ} Hz")
        inputs = np.concatenate([self._context[rows], _FLOAT[samples].reshape(len(rows), WINDOW)], axis=1)
        probabilities, state = self._model.step(inputs, self._state[:, rows])
        self._state[:, rows] = state
        self._context[rows] = inputs[:, -CONTEXT:]
        return probabilities.tolist()  # type: ignore[no-any-return]
