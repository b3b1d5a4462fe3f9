"""Carriers: who really dials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from voxbus.scheduler.core_carrier import Answer, Listed

Detection = Literal["", "answer", "greeting_end"]


class CarrierUnavailable(Exception):
    """A question was not answered. Asking again does no harm."""


@dataclass(frozen=True)
class Dial:
    """What to dial. Every URL carries the session, which tells whose call it is whatever else is lost.

    ``ring_s``: how long it may ring. ``limit_s``: when the carrier itself ends the call. ``detection``: whether the
    carrier is to find out who answered, beside the conversation, and tell ``detection_url``: as soon as it knows
    (``answer``), or of a machine when its greeting is over (``greeting_end``).
    """

    to: str
    from_number: str
    url: str
    status_url: str
    ring_s: int
    limit_s: int
    detection: Detection = ""
    detection_url: str = ""


class Carrier(Protocol):
    async def create(self, dial: Dial) -> Answer:
        """Sends one request, once. Never raises for what the carrier or the network does: the answer says it."""

    async def calls(self, to: str, from_number: str) -> list[Listed]:
        """The latest calls between these numbers that the API made. Raises CarrierUnavailable."""

    async def call(self, call_sid: str) -> Listed | None:
        """None when the carrier knows no such call. Raises CarrierUnavailable."""

    async def hang_up(self, call_sid: str) -> bool:
        """Ends a call, ringing or answered. False when it is over already. Raises CarrierUnavailable."""

    async def close(self) -> None: ...
