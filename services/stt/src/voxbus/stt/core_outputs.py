"""What the turn taker wants done: events to be published, and recognitions to be begun and ended."""

from __future__ import annotations

from dataclasses import dataclass

from voxbus.common.events import Event


@dataclass(frozen=True)
class StartRecognition:
    """Recognize from ``from_ms`` (media clock) on."""

    from_ms: int


@dataclass(frozen=True)
class Look:
    """The caller may be done: recognize what there is so far."""


@dataclass(frozen=True)
class FinishRecognition:
    """No more audio belongs to it; ``TurnTaker.transcript`` wants its result, one for each, in order.

    ``looked``: nothing was said after the last Look.
    """

    looked: bool = False


@dataclass(frozen=True)
class CancelRecognition:
    """It was nothing."""


Output = Event | StartRecognition | Look | FinishRecognition | CancelRecognition
