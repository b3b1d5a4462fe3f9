"""What crosses the pipes between the pool and a synthesis process."""

from __future__ import annotations

from typing import Final, NamedTuple

from voxbus.common.children.wire import Wire


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
WIRE: Final[Wire[Message]] = Wire(Speak, Cancel, Hello, Failed, Audio, End)
