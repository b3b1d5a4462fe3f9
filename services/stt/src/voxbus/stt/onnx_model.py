"""A model file that onnxruntime runs, whatever network is in it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_RATE: Final = np.array(8000, np.int64)


class OnnxModel:
    """Takes and gives what ``silero.Network`` does. Raises ValueError for a file that is no such model."""

    def __init__(self, path: Path) -> None:
        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        # Calls share the core with everything else of the worker; a batch this small gains nothing from threads.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its errors have no common ancestor below Exception
            raise ValueError(str(error)) from error
        names = {one.name for one in self._session.get_inputs()}
        if names != {"input", "state", "sr"}:
            raise ValueError(f"its inputs are {', '.join(sorted(names))}; expected input, state, sr")

    def step(self, samples: Floats, state: Floats) -> tuple[Floats, Floats]:
        probabilities, state = self._session.run(None, {"input": samples, "state": state, "sr": _RATE})
        return probabilities[:, 0], state
