"""Mu-law (ITU-T G.711) by table: 256 entries to decode, 65,536 to encode, so that either way is one gather.

The law works on 14-bit linear values; here they are the upper 14 of 16 bits, as everywhere in telephony. A code is
``~(sign | segment << 4 | step)``; the tables follow the reference code of ITU-T G.191 (``ulaw_compress``), in which a
negative sample is complemented, not negated: -1 and 0 share a magnitude.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]

#: The code of linear 0, which is what a quiet line carries.
SILENCE: Final = 0xFF

_BIAS = 33  # 14-bit: makes the segments' edges powers of two
_CLIP = 8191 - _BIAS


def _decode_table() -> Pcm:
    code = ~np.arange(256, dtype=np.uint8)
    segment = (code >> 4).astype(np.int32) & 7
    step = code.astype(np.int32) & 15
    magnitude = ((2 * step + _BIAS) << segment) - _BIAS
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16) * np.int16(4)


def _encode_table() -> NDArray[np.uint8]:
    sample = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    negative = sample < 0
    biased = np.minimum(np.where(negative, ~sample, sample) >> 2, _CLIP) + _BIAS
    # The segment is the position of the highest bit above bit 5; frexp gives it exactly for integers.
    segment = np.frexp(biased)[1] - 6
    step = (biased >> (segment + 1)) & 15
    code = np.where(negative, 0x80, 0) | (segment << 4) | step
    table: NDArray[np.uint8] = (~code & 0xFF).astype(np.uint8)
    return table


_DECODE: Final = _decode_table()
_ENCODE: Final = _encode_table()
_DECODE_FLOAT: Final = (_DECODE / np.float32(32768)).astype(np.float32)


def mulaw_decode(data: bytes) -> Pcm:
    """One int16 a byte."""
    return _DECODE[np.frombuffer(data, dtype=np.uint8)]


def mulaw_decode_float(data: bytes) -> NDArray[np.float32]:
    """One float32 a byte, full scale = 1.0: what models take."""
    return _DECODE_FLOAT[np.frombuffer(data, dtype=np.uint8)]


def mulaw_encode(samples: Pcm) -> bytes:
    """One byte a sample. ``samples`` must be int16: a float array is a mistake that would only be noise."""
    if samples.dtype != np.int16:
        raise TypeError(f"mu-law is made of int16 samples, not {samples.dtype}")
    return _ENCODE[np.ascontiguousarray(samples).view(np.uint16)].tobytes()
