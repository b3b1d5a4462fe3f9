"""Silero's network for 8 kHz, in NumPy: spectrum, four convolutions over time, one LSTM cell, a probability.

Why not a runtime for ONNX: one convolves each call of a batch by itself, in matrices of four columns. Here the batch is
the rows of one matrix product a layer, which takes a third of the time (`make bench`), and 63 MB of wheel and 40 MB of
memory a process are gone. That it is the same network is a test: probabilities that the original gave.

    (calls, 288 samples) -> + 32 mirrored -> 4 frames of 128 -> 65 magnitudes -> 128 -> 64 -> 64 -> 128 -> LSTM -> 1
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from voxbus.stt import onnx_weights

Floats = NDArray[np.float32]

STATE: Final = 128

#: The file has a branch a sample rate; this one is that of 8 kHz.
_BRANCH: Final = "If_0_else_branch__Inline_0__"
_FRAME, _HOP, _MIRRORED = 128, 64, 32
_BINS: Final = 65
#: Steps in time of the convolutions, which look at three steps each: 4 frames become 4, 2, 1, 1.
_STRIDES: Final = (1, 2, 2, 1)


class Network:
    """Raises KeyError or ValueError when the file at ``path`` holds another network."""

    def __init__(self, path: Path) -> None:
        weights = onnx_weights.read(path)

        def weight(name: str) -> Floats:
            return weights[_BRANCH + name]

        self._spectrum = _columns(weight("stft.forward_basis_buffer")[:, 0].T)
        self._layers = [
            (
                _columns(weight(f"encoder.{at}.reparam_conv.weight").transpose(2, 1, 0)),
                weight(f"encoder.{at}.reparam_conv.bias"),
                stride,
            )
            for at, stride in enumerate(_STRIDES)
        ]
        cell = [weight(f"decoder.rnn.weight_{part}").T for part in ("ih", "hh")]
        self._cell = _columns(np.concatenate(cell))
        self._cell_bias = weight("decoder.rnn.bias_ih") + weight("decoder.rnn.bias_hh")
        self._last = _columns(weight("decoder.decoder.2.weight")[0, :, 0])
        self._last_bias = weight("decoder.decoder.2.bias")[0]

    def step(self, samples: Floats, state: Floats) -> tuple[Floats, Floats]:
        """(calls, 288) in [-1, 1) and (2, calls, STATE) to the probabilities of speech and the next state."""
        features = self._magnitudes(samples)
        for matrix, bias, stride in self._layers:
            features = _convolve(features, matrix, bias, stride)
        gates = np.concatenate((features[:, 0], state[0]), axis=1) @ self._cell
        gates += self._cell_bias
        write, keep, candidate, show = (gates[:, at * STATE : (at + 1) * STATE] for at in range(4))
        memory = _sigmoid(keep) * state[1] + _sigmoid(write) * np.tanh(candidate)
        shown = _sigmoid(show) * np.tanh(memory)
        probabilities = _sigmoid(np.maximum(shown, 0) @ self._last + self._last_bias)
        return probabilities, np.stack((shown, memory))

    def _magnitudes(self, samples: Floats) -> Floats:
        calls = len(samples)
        mirrored = np.concatenate((samples, samples[:, -2 : -2 - _MIRRORED : -1]), axis=1)
        frames = as_strided(
            mirrored,
            (calls, (mirrored.shape[1] - _FRAME) // _HOP + 1, _FRAME),
            (mirrored.strides[0], mirrored.strides[1] * _HOP, mirrored.strides[1]),
            writeable=False,
        )
        parts = frames.reshape(-1, _FRAME) @ self._spectrum
        parts *= parts
        magnitudes: Floats = np.sqrt(parts[:, :_BINS] + parts[:, _BINS:])
        return magnitudes.reshape(calls, -1, _BINS)


def _convolve(features: Floats, matrix: Floats, bias: Floats, stride: int) -> Floats:
    """(calls, steps, channels): three steps at a time, zeros at the ends, as one matrix product; then ReLU."""
    calls, steps, channels = features.shape
    padded = np.zeros((calls, steps + 2, channels), np.float32)
    padded[:, 1:-1] = features
    by_call, by_step, by_channel = padded.strides
    triples = as_strided(
        padded,
        (calls, (steps - 1) // stride + 1, 3 * channels),
        (by_call, by_step * stride, by_channel),
        writeable=False,
    )
    result = triples.reshape(-1, 3 * channels) @ matrix
    result += bias
    np.maximum(result, 0, out=result)
    return result.reshape(calls, -1, matrix.shape[1])


def _columns(weight: Floats) -> Floats:
    """All but the last dimension in one, contiguous."""
    return np.ascontiguousarray(weight.reshape(-1, weight.shape[-1]) if weight.ndim > 1 else weight)


def _sigmoid(x: Floats) -> Floats:
    result: Floats = np.tanh(x * np.float32(0.5))  # unlike exp, it overflows nowhere
    result *= np.float32(0.5)
    result += np.float32(0.5)
    return result
