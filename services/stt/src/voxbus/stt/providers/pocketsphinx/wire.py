"""What crosses the pipes between the pool and a recognition process."""

from __future__ import annotations

from typing import Final, NamedTuple

from voxbus.common.children.wire import Wire


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
WIRE: Final[Wire[Message]] = Wire(Grammar, Recognize, Hello, Failed, Recognized)
