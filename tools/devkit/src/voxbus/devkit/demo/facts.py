"""What the carrier's end of a call knows: the second witness, besides the log.

All ``*_ms`` are positions on the recording, whose first sample is the first frame of the media stream: the same
clock as the ``media_ms`` of the events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Purpose = Literal["speech", "backchannel", "interruption"]


@dataclass(frozen=True)
class Said:
    """A piece of the script that the caller spoke. ``start_ms``/``end_ms``: first and last frame that was sent."""

    text: str
    purpose: Purpose
    start_ms: float
    end_ms: float


@dataclass(frozen=True)
class Pressed:
    digit: str
    at_ms: float


@dataclass(frozen=True)
class Kill:
    """A worker process that was sent SIGKILL while it worked on ``turn``."""

    service: str
    pid: int
    turn: int
    at_ms: float


@dataclass(frozen=True)
class CarrierFacts:
    """``zero_s``: Unix time of the recording's first sample, which puts the times of the log onto the recording.

    ``clears_ms``: when a ``clear`` arrived. ``last_verb``: the TwiML verb that ended the call, empty when the other
    side just vanished, and ``last_verb_from`` the path that answered it. ``warnings``: protocol errors a real carrier
    would log, in its own words.
    """

    call: str
    zero_s: float
    said: tuple[Said, ...] = ()
    pressed: tuple[Pressed, ...] = ()
    clears_ms: tuple[float, ...] = ()
    warnings: tuple[str, ...] = ()
    last_verb: str = ""
    last_verb_from: str = ""
