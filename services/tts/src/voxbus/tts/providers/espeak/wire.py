"""What crosses the pipes between the pool and a synthesis process: msgpack arrays, a number for the kind first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import msgpack


class VoiceInfo(NamedTuple):
    """``identifier`` is the voice's file below the voices folder; ``languages`` best first, as BCP 47-like tags."""

    identifier: str
    name: str
    languages: tuple[str, ...]


class Speak(NamedTuple):
    """Say ``text``. ``voice``: an identifier, perhaps with ``+variant``. ``rate``: words a minute; ``pitch``: 0-99."""

    job: int
    text: str
    voice: str
    rate: int
    pitch: int


class Cancel(NamedTuple):
    job: int


class Hello(NamedTuple):
    """The process is warm. ``voices``: the fields of a VoiceInfo each. ``variants``: what may follow a name's ``+``."""

    version: str
    voices: tuple[tuple[object, ...], ...]
    variants: tuple[str, ...]


class Failed(NamedTuple):
    """The process could not start; it ends after this."""

    reason: str


class Audio(NamedTuple):
    """The next piece of the job's audio: mu-law at 8 kHz."""

    job: int
    data: bytes


class End(NamedTuple):
    """No more audio comes for the job. ``error`` empty: it was said whole; ``cancelled``, or a cause."""

    job: int
    error: str


Message = Speak | Cancel | Hello | Failed | Audio | End
_KINDS: Final = (Speak, Cancel, Hello, Failed, Audio, End)


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
