"""Cuts the audio of a sentence into the pieces that cross the bus.

    |80 ms|80 ms|160 ms|320 ms|400 ms|400 ms| ... |last|

The first piece is short, because the caller waits for it. No piece is longer than all that left before it, so a
provider that delivers no faster than real time never lets the line run dry; none exceeds what ``AudioOut`` allows.
"""

from __future__ import annotations

from typing import NamedTuple

from voxbus.common.audio import FRAME_BYTES

FIRST_BYTES = 4 * FRAME_BYTES
#: The limit of an ``AudioOut`` message (docs/architecture.md).
MAX_BYTES = 20 * FRAME_BYTES


class Piece(NamedTuple):
    """``offset``: where in the sentence ``audio`` begins, in bytes of mu-law. ``last`` closes the sentence."""

    offset: int
    last: bool
    audio: bytes


class PieceCutter:
    """Takes audio as it comes and gives whole pieces. ``offset``: how much left in pieces."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self.offset = 0

    def feed(self, audio: bytes) -> list[Piece]:
        self._waiting += audio
        pieces = []
        # Strictly more than a piece: what stays behind makes the last piece one that carries audio.
        while len(self._waiting) > (size := self._next_bytes()):
            pieces.append(self._cut(size, last=False))
        return pieces

    def finish(self) -> Piece:
        """The last piece. Empty when there was no audio at all."""
        return self._cut(len(self._waiting), last=True)

    def _next_bytes(self) -> int:
        return min(max(self.offset, FIRST_BYTES), MAX_BYTES)

    def _cut(self, size: int, *, last: bool) -> Piece:
        piece = Piece(self.offset, last, bytes(self._waiting[:size]))
        del self._waiting[:size]
        self.offset += size
        return piece
