"""What may be wrong with a request. Each has a status, a stable code that is counted, and one line."""

from __future__ import annotations

from voxbus.common.errors import VoxbusError


class Refused(VoxbusError):
    """``status``: the HTTP status. The line never repeats what was sent: it may be a number, or a secret."""

    def __init__(self, status: int, code: str, line: str) -> None:
        super().__init__(line)
        self.status = status
        self.code = code
