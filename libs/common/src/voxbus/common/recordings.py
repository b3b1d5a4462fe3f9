"""What is asked of gateways about the recordings that they keep, and what they answer.

operator  -- Removal(calls) -->  every gateway
          <-- Removed(store, files, left) --  each for the recordings that it can see
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import msgpack
from pydantic import TypeAdapter, ValidationError

from voxbus.common.errors import CodecError


@dataclass(frozen=True)
class Removal:
    """Remove all recordings of these calls (CallSids)."""

    calls: tuple[str, ...]


@dataclass(frozen=True)
class Removed:
    """``store``: which recordings these are; empty = there are none. ``files``: how many were removed; ``left``: the
    calls of which something could not be. Of the others nothing is left there.
    """

    store: str
    files: int
    left: tuple[str, ...]


T = TypeVar("T", Removal, Removed)


def encode(message: Removal | Removed) -> bytes:
    return bytes(msgpack.packb(TypeAdapter(type(message)).dump_python(message)))


def decode(kind: type[T], data: bytes) -> T:
    """Raises CodecError."""
    try:
        return TypeAdapter(kind).validate_python(msgpack.unpackb(data))
    except (ValidationError, ValueError, TypeError, msgpack.UnpackException) as error:
        raise CodecError(f"no {kind.__name__} that can be read: {type(error).__name__}") from None
