"""Frames of the telephone line: 20 ms, 160 bytes of mu-law at 8 kHz."""

from __future__ import annotations

from typing import Final

from voxbus.common.audio.mulaw import SILENCE

HZ: Final = 8000
FRAME_MS: Final = 20
FRAME_BYTES: Final = HZ * FRAME_MS // 1000


def ms_of(size_bytes: int) -> float:
    """How long ``size_bytes`` of mu-law sound."""
    return size_bytes * 1000 / HZ


def bytes_of(duration_ms: float) -> int:
    """How many bytes of mu-law ``duration_ms`` are, rounded down to a whole sample."""
    return int(duration_ms * HZ / 1000)


class Framer:
    """Cuts a stream of pieces of any size into whole frames; what is left over waits for the next piece."""

    __slots__ = ("_rest", "_size")

    def __init__(self, size_bytes: int = FRAME_BYTES) -> None:
        if size_bytes < 1:
            raise ValueError("a frame has at least one byte")
        self._size = size_bytes
        self._rest = b""

    @property
    def pending_bytes(self) -> int:
        return len(self._rest)

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are whole now."""
        size = self._size
        if not self._rest and len(data) == size:  # the common case on the line: nothing to cut
            return [data]
        joined = self._rest + data
        whole = len(joined) // size * size
        self._rest = joined[whole:]
        return [joined[at : at + size] for at in range(0, whole, size)]

    def flush(self) -> bytes:
        """The last frame, filled up with silence; empty when nothing waits."""
        rest, self._rest = self._rest, b""
        return rest.ljust(self._size, bytes([SILENCE])) if rest else b""

    def clear(self) -> None:
        """Forgets what waits: it belonged to something that was interrupted."""
        self._rest = b""
