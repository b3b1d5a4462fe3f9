"""What crosses the pipes between the pool and a recognition process: msgpack arrays, a number for the kind first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import msgpack


class Grammar(NamedTuple):
    """A grammar that will be asked for, in JSGF."""

    key: str
    jsgf: str


class Recognize(NamedTuple):
    """What was said? ``audio``: mu-law at 8 kHz. ``key``: of a grammar that was sent before. The answer has the same
    ``number``."""

    number: int
    key: str
    audio: bytes


class Hello(NamedTuple):
    """The process is warm."""


class Failed(NamedTuple):
    """``reason`` is for the log. After a Hello it answers one request, before it the process ends (``number`` 0)."""

    number: int
    reason: str


class Recognized(NamedTuple):
    """``text`` empty: it was not in the grammar. ``took_ms``: how long the search took."""

    number: int
    text: str
    confidence: float
    took_ms: float


Message = Grammar | Recognize | Hello | Failed | Recognized
_KINDS: Final = (Grammar, Recognize, Hello, Failed, Recognized)


def pack(message: Message) -> bytes:
    packed: bytes = msgpack.packb((_KINDS.index(type(message)), *message))
    return packed


class Reader:
    """Bytes of a pipe, in pieces of any size, to messages."""

    def __init__(self) -> None:
        self._unpacker = msgpack.Unpacker(use_list=False)

    def feed(self, data: bytes) -> Iterator[Message]:
        self._unpacker.feed(data)
        for kind, *fields in self._unpacker:
            yield _KINDS[kind]._make(fields)
