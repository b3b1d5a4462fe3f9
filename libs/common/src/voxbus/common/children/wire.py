"""What crosses the pipes: msgpack arrays, a number for the kind of message first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, Generic, TypeVar

import msgpack

M = TypeVar("M", bound=tuple[Any, ...])


class Wire(Generic[M]):
    """``kinds``: the named tuples that are messages, in an order that both sides have, being of one build."""

    def __init__(self, *kinds: Callable[..., M]) -> None:
        self.kinds: Final = kinds
        self._numbers: dict[object, int] = {kind: number for number, kind in enumerate(kinds)}

    def pack(self, message: M) -> bytes:
        packed: bytes = msgpack.packb((self._numbers[type(message)], *message))
        return packed

    def reader(self) -> Reader[M]:
        return Reader(self)


class Reader(Generic[M]):
    """Bytes of a pipe, in pieces of any size, to messages."""

    def __init__(self, wire: Wire[M]) -> None:
        self._kinds = wire.kinds
        self._unpacker = msgpack.Unpacker(use_list=False)

    def feed(self, data: bytes) -> Iterator[M]:
        self._unpacker.feed(data)
        for kind, *fields in self._unpacker:
            yield self._kinds[kind](*fields)
