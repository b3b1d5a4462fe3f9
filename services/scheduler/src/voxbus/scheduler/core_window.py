"""When a telephone may ring: the hours of a campaign, the quiet hours of everybody, on the callee's own clock. Pure.

Everything is decided by minutes. Hours are given in minutes, and zones have been whole minutes from UTC since 1972, so
no boundary falls inside one. Hours are what a clock on the callee's wall shows: an hour that a change of the clocks
skips is not there, and one that it repeats is there twice.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUTES: Final = 24 * 60
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")
#: A week, and a day for the hours that a change of the clocks takes away.
_LOOK_AHEAD_DAYS: Final = 9


def minutes(clock: str) -> int:
    """Minutes since midnight of ``HH:MM``, up to 24:00. Raises ValueError."""
    if _CLOCK.fullmatch(clock) is None:
        raise ValueError("a time is written HH:MM, 00:00 to 24:00")
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)


def zone(name: str) -> ZoneInfo:
    """Raises ValueError for what is no time zone of the IANA database."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("not a time zone, such as America/New_York") from None


@dataclass(frozen=True)
class Span:
    """From ``start`` (inclusive) to ``end`` (exclusive), minutes since midnight. One that ends before it starts goes on
    past midnight; one that ends where it starts is empty."""

    start: int
    end: int

    def holds(self, minute: int) -> bool:
        if self.start <= self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


def span(text: str) -> Span:
    """Of ``HH:MM-HH:MM``; empty = never. Raises ValueError."""
    start, dash, end = text.partition("-")
    if not text:
        return Span(0, 0)
    if not dash:
        raise ValueError("hours are written HH:MM-HH:MM")
    return Span(minutes(start.strip()), minutes(end.strip()))


@dataclass(frozen=True)
class Hours:
    """``days``: the weekdays (0 = Monday) on which ``window`` begins. ``quiet`` closes it whatever it says."""

    window: Span
    quiet: Span = Span(0, 0)
    days: frozenset[int] = frozenset(range(7))

    def are(self, local: datetime) -> bool:
        """``local``: the callee's own time."""
        minute = local.hour * 60 + local.minute
        past_midnight = self.window.start > self.window.end and minute < self.window.end
        day = (local.weekday() - past_midnight) % 7
        return day in self.days and self.window.holds(minute) and not self.quiet.holds(minute)


def is_open(hours: Hours, zones: tuple[str, ...], at_s: float) -> bool:
    """Whether the telephone may ring at that moment (Unix time): in all zones where it may be."""
    return all(hours.are(datetime.fromtimestamp(at_s, zone(name))) for name in zones)


def next_open(hours: Hours, zones: tuple[str, ...], at_s: float) -> float | None:
    """The first moment from ``at_s`` on at which it may ring. None: not in the next week, so never."""
    today = datetime.fromtimestamp(at_s, UTC).date()
    for ahead in range(_LOOK_AHEAD_DAYS):
        spans = _open_spans(hours, zones, today + timedelta(days=ahead))
        found = bisect_right(spans, (at_s, float("inf")))
        if found and spans[found - 1][1] > at_s:
            return at_s
        if found < len(spans):
            return spans[found][0]
    return None


@lru_cache(maxsize=4096)
def _open_spans(hours: Hours, zones: tuple[str, ...], day: date) -> tuple[tuple[float, float], ...]:
    """The open spans of a day in UTC, as Unix times, in order."""
    midnight_s = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    spans: list[tuple[float, float]] = []
    for minute in range(_MINUTES):
        start_s = midnight_s + minute * 60
        if not is_open(hours, zones, start_s):
            continue
        if spans and spans[-1][1] == start_s:
            spans[-1] = (spans[-1][0], start_s + 60)
        else:
            spans.append((start_s, start_s + 60))
    return tuple(spans)


def day_of(zone_name: str, at_s: float) -> tuple[float, float]:
    """The callee's day around a moment: when it began, and when the next one does (Unix times)."""
    local = zone(zone_name)
    today = datetime.fromtimestamp(at_s, local).date()

    def begins(day: date) -> float:
        return datetime(day.year, day.month, day.day, tzinfo=local).timestamp()

    return begins(today), begins(today + timedelta(days=1))
