"""Digits that were pressed become one utterance."""

from __future__ import annotations

from collections.abc import Iterable

from voxbus.common import events as ev
from voxbus.common.agents import Dtmf


def last_key_ms(keys: Iterable[ev.Dtmf], until_ms: int) -> int | None:
    """When the last one was pressed, up to then; None = none was."""
    return max((key.media_ms for key in keys if key.media_ms <= until_ms), default=None)


class Digits:
    """``key_ms``: when a key was pressed before, on the media clock; None = none was."""

    def __init__(self, rules: Dtmf, key_ms: int | None = None) -> None:
        self._rules = rules
        self._digits = ""
        self._first_ms = 0
        self._last_ms = 0
        self._key_ms = key_ms

    def __bool__(self) -> bool:
        return bool(self._digits)

    @property
    def span_ms(self) -> tuple[int, int]:
        """First and last key, on the media clock."""
        return self._first_ms, self._last_ms

    def press(self, digit: str, media_ms: int) -> str | None:
        """The digits, when this key completes them; empty for a terminator alone; else None."""
        before_ms, self._key_ms = self._key_ms, media_ms
        if digit == self._rules.terminator:
            return (
                self._take()
                if self._digits or not self._rules.ends_code(digit, media_ms, before_ms)
                else None
            )
        if not self._digits:
            self._first_ms = media_ms
        self._digits += digit
        self._last_ms = media_ms
        return self._take() if len(self._digits) == self._rules.length else None

    def tick(self, media_ms: int) -> str:
        """The digits, when nobody pressed another one in time."""
        waited = media_ms - self._last_ms
        return self._take() if self._digits and waited >= self._rules.timeout_ms else ""

    def _take(self) -> str:
        digits, self._digits = self._digits, ""
        return digits
