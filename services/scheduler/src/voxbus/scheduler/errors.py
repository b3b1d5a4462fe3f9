"""What may be wrong with a request (a status, a stable code that is counted, and one line), or with the place."""

from __future__ import annotations

from voxbus.common.errors import VoxbusError


class Refused(VoxbusError):
    """``status``: the HTTP status. The line never repeats what was sent: it may be a number, or a secret."""

    def __init__(self, status: int, code: str, line: str) -> None:
        super().__init__(line)
        self.status = status
        self.code = code


class DatabaseTaken(VoxbusError):
    code = "database_taken"
    retry = True  # the other one may be just going

    def __init__(self, file: str) -> None:
        super().__init__(
            f"another scheduler has the SQLite file {file}, which is for one: to run several, let DATABASE_URL of all "
            "of them name one PostgreSQL (docker compose: profile postgres)"
        )
