"""Log lines: static text with fields, one JSON object a line on stderr.

    log = get_logger(__name__)
    log.info("turn ended", call_sid=sid, turn=3, ms=12.5)

Never a phone number, never what somebody said: not in the text, not in a field. Records of libraries (uvicorn, nats)
take the same form.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TextIO

#: Libraries that log requests and statements (URLs, numbers) at INFO or DEBUG. Those are personal data, and one line a
#: request is noise.
_TOO_CHATTY = (
    "httpx", "httpcore", "uvicorn.access", "websockets", "asyncio", "aiosqlite", "alembic", "sqlalchemy", "twilio",
)  # fmt: skip


class Log:
    """A logger whose calls take a static text and fields. ``bind`` gives one that adds the same fields each time."""

    __slots__ = ("_fields", "_logger")

    def __init__(self, logger: logging.Logger, fields: Mapping[str, object] | None = None) -> None:
        self._logger = logger
        self._fields = dict(fields or {})

    def bind(self, **fields: object) -> Log:
        return Log(self._logger, {**self._fields, **fields})

    def debug(self, text: str, /, **fields: object) -> None:
        self._log(logging.DEBUG, text, fields)

    def info(self, text: str, /, **fields: object) -> None:
        self._log(logging.INFO, text, fields)

    def warning(self, text: str, /, **fields: object) -> None:
        self._log(logging.WARNING, text, fields)

    def error(self, text: str, /, **fields: object) -> None:
        self._log(logging.ERROR, text, fields)

    def exception(self, text: str, /, raised: BaseException | None = None, **fields: object) -> None:
        """An error, with the traceback of ``raised``, or of the exception that is being handled."""
        self._log(logging.ERROR, text, fields, raised or True)

    def _log(
        self, level: int, text: str, fields: Mapping[str, object], raised: BaseException | bool = False
    ) -> None:
        if self._logger.isEnabledFor(level):
            merged = {**self._fields, **fields}
            self._logger.log(level, "%s", text, extra={"fields": merged}, exc_info=raised)


def get_logger(name: str) -> Log:
    return Log(logging.getLogger(name))


def configure(
    service: str, worker: str = "", *, level: str = "info", form: str = "json", stream: TextIO | None = None
) -> None:
    """Takes over the root logger, so that records of libraries come out in the same form. Idempotent.

    Start uvicorn with ``log_config=None``, else it puts its own handlers back.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Json(service, worker) if form == "json" else _Text(service))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in _TOO_CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


class _Json(logging.Formatter):
    def __init__(self, service: str, worker: str) -> None:
        super().__init__()
        self._service = service
        self._worker = worker

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if self._worker:
            line["worker"] = self._worker
        for name, value in getattr(record, "fields", {}).items():
            line.setdefault(name, _plain(value))
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class _Text(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        clock = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S.%f")[:-3]
        fields = "".join(f" {name}={_plain(value)}" for name, value in getattr(record, "fields", {}).items())
        line = f"{clock} {record.levelname:<7} {self._service:<8} {record.getMessage()}{fields}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _plain(value: object) -> object:
    """``value`` as JSON knows it: floats to three places (no duration of ours is known any better), else text."""
    match value:
        case bool() | int() | str() | None:
            return value
        case float():
            return round(value, 3)
        case list() | tuple() | set() | frozenset():
            return [_plain(item) for item in value]
        case BaseException():
            return f"{type(value).__name__}: {value}"
        case _:
            return str(value)
