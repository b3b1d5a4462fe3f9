"""The audio of one sentence, put in order.

Messages carry (token, offset, bytes). Within a token they may come in any order, twice, or not at all; a higher token
is another worker that speaks the same sentence again from its beginning, because the first one is thought dead.
"""

from __future__ import annotations

from typing import Final

from voxbus.common.codec import AudioOut

#: A minute of mu-law. No sentence of 200 characters takes as long; a worker that sends more is broken.
MAX_SENTENCE_BYTES: Final = 480_000


class _Speech:
    """What one worker said of the sentence. ``data`` is in order and without holes, except for those given up."""

    __slots__ = ("_end", "_skips", "_waiting", "data", "token")

    def __init__(self, token: int) -> None:
        self.token = token
        self.data = bytearray()
        self._waiting: dict[int, bytes] = {}
        self._end: int | None = None
        self._skips: list[tuple[int, int]] = []  # (index in data, bytes that are missing there)

    @property
    def reached(self) -> int:
        """The offset in the sentence up to which ``data`` goes."""
        return len(self.data) + sum(size for _, size in self._skips)

    @property
    def complete(self) -> bool:
        return self._end is not None and self.reached >= self._end

    @property
    def has_hole(self) -> bool:
        return bool(self._waiting) or (self._end is not None and self.reached < self._end)

    def offset_of(self, index: int) -> int:
        """The offset in the sentence of a place in ``data``; a hole just there is still to come."""
        return index + sum(size for at, size in self._skips if at < index)

    def add(self, offset: int, audio: bytes, last: bool) -> None:
        if last:
            self._end = offset + len(audio)
        if offset > self.reached:
            if len(audio) > len(self._waiting.get(offset, b"")):
                self._waiting[offset] = audio
            return
        self._append(offset, audio)
        self._join()

    def skip_hole(self) -> None:
        to = min(self._waiting, default=self._end)
        assert to is not None
        self._skips.append((len(self.data), to - self.reached))
        self._join()

    def _append(self, offset: int, audio: bytes) -> None:
        known = self.reached - offset
        if known < len(audio):
            self.data += audio[known:]

    def _join(self) -> None:
        for offset in sorted(self._waiting):
            if offset > self.reached:
                return
            self._append(offset, self._waiting.pop(offset))


class SentenceAudio:
    """``taken``: bytes that left for the caller. ``arrived_ms``: when something new came last. ``jumped``: a hole was,
    so that not all of it may have sounded, whoever goes on with it.
    """

    __slots__ = ("_hole_ms", "_next", "_now", "arrived_ms", "closed", "jumped", "synthesis_ms", "taken")

    def __init__(self) -> None:
        self._now = _Speech(-1)
        self._next: _Speech | None = None
        self._hole_ms: float | None = None
        self.taken = 0
        self.arrived_ms = 0.0
        self.synthesis_ms = 0.0
        self.closed = False
        self.jumped = False

    def add(self, piece: AudioOut, now_ms: float) -> bool:
        """False when the piece is of no use: from a worker that was replaced, after the end, or far too long."""
        newest = self._next or self._now
        if self.closed or piece.offset + len(piece.audio) > MAX_SENTENCE_BYTES:
            return False
        if piece.token < newest.token and piece.token != self._now.token:
            return False
        if piece.token > newest.token:
            if newest.token < 0:
                self.synthesis_ms = piece.synthesis_ms
            self._next = newest = _Speech(piece.token)
        speech = self._now if piece.token == self._now.token else newest
        speech.add(piece.offset, piece.audio, piece.last)
        self.arrived_ms = now_ms
        self._change_over()
        if not self._now.has_hole:
            self._hole_ms = None
        elif self._hole_ms is None:
            self._hole_ms = now_ms
        return True

    def wanted_from(self, token: int) -> int | None:
        """From which byte on the worker ``token`` should say the sentence (again); None = it has done its part."""
        newest = self._next or self._now
        if self.closed or token < newest.token:
            return None
        if token > newest.token:
            return 0
        return None if newest.complete else newest.reached

    def _change_over(self) -> None:
        """Goes on with the newer worker once it has said more than was played; until then the old one's serves."""
        if self._next is None:
            return
        played = self._now.offset_of(self.taken)
        if self._next.reached > played or self._next.complete:
            self._now, self._next = self._next, None
            self._hole_ms = None
            self.taken = min(played, len(self._now.data))

    @property
    def available(self) -> int:
        return len(self._now.data) - self.taken

    @property
    def received(self) -> int:
        """Bytes that are here and in order, taken or not."""
        return len(self._now.data)

    @property
    def complete(self) -> bool:
        """The whole sentence is here (or given up)."""
        return self.closed or self._now.complete

    @property
    def done(self) -> bool:
        return self.complete and self.available == 0

    @property
    def hole_ms(self) -> float | None:
        """When the hole was noticed behind which audio waits."""
        return self._hole_ms

    def skip_hole(self, now_ms: float) -> None:
        self._now.skip_hole()
        self.jumped = True
        self._hole_ms = now_ms if self._now.has_hole else None

    def close(self) -> None:
        """Nothing more is waited for."""
        self.closed = True

    def take(self, size: int) -> bytes:
        taken = bytes(self._now.data[self.taken : self.taken + size])
        self.taken += len(taken)
        return taken

    def peek(self, at: int, size: int) -> bytes:
        return bytes(self._now.data[at : at + size])

    def rewind(self, to: int) -> None:
        self.taken = min(max(to, 0), self.received)
