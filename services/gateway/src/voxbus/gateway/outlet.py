"""What a call needs of its socket."""

from __future__ import annotations

from typing import Protocol


class Outlet(Protocol):
    """Text frames to Twilio. Nothing here waits."""

    @property
    def blocked(self) -> bool:
        """The other side reads too slowly: send nothing that can wait."""

    def queue(self, message: bytes) -> None: ...

    def flush(self) -> None:
        """Everything queued leaves in one write."""

    def close(self, code: int, reason: str) -> None: ...
