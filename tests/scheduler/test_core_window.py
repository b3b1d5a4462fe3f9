"""When a telephone may ring: over midnight, over changes of the clocks, in several zones at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from voxbus.scheduler.core_window import Hours, Span, day_of, is_open, minutes, next_open, span, zone

NEW_YORK, BERLIN, SYDNEY = "America/New_York", "Europe/Berlin", "Australia/Sydney"
#: Zones whose clocks change at odd times, by odd steps, across midnight, or not at all.
ZONES = (
    NEW_YORK, BERLIN, SYDNEY, "Australia/Lord_Howe", "America/Havana", "America/Santiago", "Asia/Beirut",
    "Asia/Kolkata", "Pacific/Apia", "Africa/Casablanca", "America/St_Johns", "UTC",
)  # fmt: skip
DEFAULT = Hours(span("09:00-20:00"), span("21:00-08:00"))


def at(text: str, name: str = NEW_YORK, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(name), fold=fold).timestamp()


def clock(at_s: float, name: str = NEW_YORK) -> str:
    return datetime.fromtimestamp(at_s, ZoneInfo(name)).strftime("%a %d %H:%M")


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-03-03T03:00", "Tue 03 09:00"),
        ("2026-03-03T08:59:59", "Tue 03 09:00"),
        ("2026-03-03T09:00", "Tue 03 09:00"),
        ("2026-03-03T19:59:59", "Tue 03 19:59"),
        ("2026-03-03T20:00", "Wed 04 09:00"),
    ],
)
def test_the_default_window(now: str, expected: str) -> None:
    found = next_open(DEFAULT, (NEW_YORK,), at(now))
    assert found is not None
    assert clock(found) == expected


def test_a_window_that_a_change_of_the_clocks_skips_is_not_there() -> None:
    # On 8 March 2026 the clocks of New York jump from 02:00 to 03:00.
    assert next_open(Hours(span("02:00-03:00")), (NEW_YORK,), at("2026-03-08T01:00")) == at(
        "2026-03-09T02:00"
    )
    # One that begins within what is skipped begins when the clock is past it.
    found = next_open(Hours(span("02:30-04:00")), (NEW_YORK,), at("2026-03-08T01:59"))
    assert found == at("2026-03-08T03:00")


def test_an_hour_that_is_repeated_is_open_twice() -> None:
    hours = Hours(span("01:00-01:30"))
    first, second = at("2026-11-01T01:00"), at("2026-11-01T01:00", fold=1)
    assert second - first == 3600
    assert next_open(hours, (NEW_YORK,), first - 1) == first
    assert next_open(hours, (NEW_YORK,), first + 1800) == second


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    hours = Hours(span("22:00-02:00"), days=frozenset({4}))  # Friday
    assert is_open(hours, (BERLIN,), at("2026-03-06T23:00", BERLIN))
    assert is_open(hours, (BERLIN,), at("2026-03-07T01:59", BERLIN))
    assert not is_open(hours, (BERLIN,), at("2026-03-07T22:30", BERLIN))
    assert not is_open(hours, (BERLIN,), at("2026-03-06T01:00", BERLIN))


def test_quiet_hours_close_every_window() -> None:
    hours = Hours(span("00:00-24:00"), span("21:00-08:00"))
    assert next_open(hours, (SYDNEY,), at("2026-06-01T21:00", SYDNEY)) == at("2026-06-02T08:00", SYDNEY)


def test_a_number_that_may_be_anywhere_rings_where_it_is_day_everywhere() -> None:
    zones = (NEW_YORK, "America/Los_Angeles")
    found = next_open(DEFAULT, zones, at("2026-03-03T09:00"))
    assert found is not None
    assert clock(found) == "Tue 03 12:00"
    assert next_open(Hours(span("09:00-12:00")), (NEW_YORK, "Asia/Tokyo"), at("2026-03-03T09:00")) is None


def test_a_window_within_the_quiet_hours_never_opens() -> None:
    assert next_open(Hours(span("22:00-23:00"), span("21:00-08:00")), (BERLIN,), 0.0) is None


@pytest.mark.parametrize("text", ["9:00", "09:60", "24:01", "", "09:00:00", "٠٩:٠٠"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HH:MM"):
        minutes(text)


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../etc/passwd", "/etc/passwd", "America"])
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="time zone"):
        zone(name)


_starts = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31))
_minutes = st.integers(0, 24 * 60 - 1)
_spans = st.builds(Span, _minutes, _minutes)
_hours = st.builds(
    Hours, _spans, st.one_of(st.just(Span(0, 0)), _spans), st.frozensets(st.integers(0, 6), min_size=1)
)


def unix(moment: datetime) -> float:
    return moment.replace(tzinfo=UTC).timestamp()


@given(hours=_hours, name=st.sampled_from(ZONES), moment=_starts)
def test_the_next_opening_is_open_and_nothing_before_it_is(hours: Hours, name: str, moment: datetime) -> None:
    now_s = unix(moment)
    opens_s = next_open(hours, (name,), now_s)
    if opens_s is None:
        assume(hours.window != Span(0, 0))
        assert not any(is_open(hours, (name,), now_s + 600 * n) for n in range(7 * 144))
        return
    assert opens_s >= now_s
    assert is_open(hours, (name,), opens_s)
    # What lies between is closed, to the minute, and nobody knows better than the callee's clock.
    minute_s = now_s - now_s % 60 + 60
    while minute_s < opens_s:
        local = datetime.fromtimestamp(minute_s, ZoneInfo(name))
        assert not hours.are(local), local
        minute_s += 60


@given(name=st.sampled_from(ZONES), moment=_starts, zones=st.lists(st.sampled_from(ZONES), max_size=3))
def test_it_never_rings_outside_nine_to_eight_on_any_clock(
    name: str, moment: datetime, zones: list[str]
) -> None:
    everywhere = (name, *zones)
    opens_s = next_open(DEFAULT, everywhere, unix(moment))
    if opens_s is not None:
        for where in everywhere:
            local = datetime.fromtimestamp(opens_s, ZoneInfo(where))
            assert 9 <= local.hour < 20


@given(name=st.sampled_from(ZONES), moment=_starts)
def test_days_follow_one_another_without_a_gap(name: str, moment: datetime) -> None:
    now_s = unix(moment)
    began_s, ends_s = day_of(name, now_s)
    assert began_s <= now_s < ends_s
    assert timedelta(hours=22) <= timedelta(seconds=ends_s - began_s) <= timedelta(hours=26)
    assert day_of(name, ends_s)[0] == ends_s
    assert (
        datetime.fromtimestamp(ends_s, ZoneInfo(name)).date()
        > datetime.fromtimestamp(ends_s - 1, ZoneInfo(name)).date()
    )
