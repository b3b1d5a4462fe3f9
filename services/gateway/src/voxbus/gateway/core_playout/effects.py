"""What the player wants done. The shell does it, in this order."""

from __future__ import annotations

from typing import Literal, NamedTuple

from voxbus.common.events import Event


class Frames(NamedTuple):
    """Send this: mu-law, a multiple of 160 bytes."""

    audio: bytes


class Mark(NamedTuple):
    """Send a mark behind everything that was sent."""

    name: str


class Clear(NamedTuple):
    """Empty Twilio's buffer."""


class Publish(NamedTuple):
    event: Event


class Filled(NamedTuple):
    """Dead air was filled with a clip, or would have been if there were one (``missing``)."""

    kind: Literal["filler", "fallback", "missing"]


Effect = Frames | Mark | Clear | Publish | Filled
