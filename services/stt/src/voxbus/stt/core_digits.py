"""Digits that were pressed become one utterance."""

from __future__ import annotations

from voxbus.common.agents import Dtmf


class Digits:
    def __init__(self, rules: Dtmf) -> None:
        self._rules = rules
        self._digits = ""
        self._first_ms = 0
        self._last_ms = 0

    def __bool__(self) -> bool:
        return bool(self._digits)

    @property
    def span_ms(self) -> tuple[int, int]:
        """First and last key, on the media clock."""
        return self._first_ms, self._last_ms

    def press(self, digit: str, media_ms: int) -> str:
        """The digits, when this one completes them; else empty. A terminator alone completes nothing."""
        if digit == self._rules.terminator:
            return self._take() if self._digits else ""
        if not self._digits:
            self._first_ms = media_ms
        self._digits += digit
        self._last_ms = media_ms
        return self._take() if len(self._digits) == self._rules.length else ""

    def tick(self, media_ms: int) -> str:
        """The digits, when nobody pressed another one in time."""
        waited = media_ms - self._last_ms
        return self._take() if self._digits and waited >= self._rules.timeout_ms else ""

    def _take(self) -> str:
        digits, self._digits = self._digits, ""
        return digits
