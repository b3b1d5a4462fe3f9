"""A WAV file of mu-law, two channels at 8 kHz. Pure.

Mu-law because that is what crosses the line: every sample is kept as it was, in half of the room of 16 bits. Sources of
the layout: Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" and, for formats other than PCM
(``cbSize``, the ``fact`` chunk), its "New Multimedia Data Types and Data Techniques".
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from voxbus.common.audio import HZ, SILENCE

#: Bytes of one sample of both sides.
PAIR_BYTES: Final = 2
QUIET_PAIR: Final = bytes([SILENCE]) * PAIR_BYTES
HEADER_BYTES: Final = 58
_MULAW: Final = 7


def header(data_bytes: int) -> bytes:
    """What stands before so many bytes of samples."""
    form = struct.pack("<HHIIHHH", _MULAW, 2, HZ, HZ * PAIR_BYTES, PAIR_BYTES, 8, 0)
    return b"".join(
        (
            *(b"RIFF", struct.pack("<I", HEADER_BYTES - 8 + data_bytes), b"WAVE"),
            *(b"fmt ", struct.pack("<I", len(form)), form),
            *(b"fact", struct.pack("<II", 4, data_bytes // PAIR_BYTES)),
            *(b"data", struct.pack("<I", data_bytes)),
        )
    )


def interleave(pairs: Sequence[bytes]) -> bytes:
    """Frames, one of each side by turns, to samples, one of each side by turns."""
    left = b"".join(pairs[::2])
    both = bytearray(2 * len(left))
    both[::2] = left
    both[1::2] = b"".join(pairs[1::2])
    return bytes(both)


def ms_of(data_bytes: int) -> int:
    """How long so many bytes of samples sound."""
    return data_bytes * 1000 // (HZ * PAIR_BYTES)
