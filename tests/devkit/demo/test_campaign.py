"""The campaign of the demo: its people, its hours, its table. The whole of it runs in tests/e2e/test_campaign.py."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from voxbus.devkit.demo.console import Style
from voxbus.devkit.demo.contacts import LATEST, TOWNS, as_csv, cast, window
from voxbus.devkit.demo.table import Row, Table
from voxbus.scheduler.core_contacts import check, read_csv
from voxbus.scheduler.core_window import Hours, Span, is_open, minutes, next_open

CONTACTS = cast(seed=1)


def test_thirty_people_in_four_towns() -> None:
    assert len({contact.number for contact in CONTACTS}) == len(CONTACTS) == 30
    assert set(Counter(contact.town for contact in CONTACTS)) == {town for town, _ in TOWNS.values()}
    assert cast(seed=1) == CONTACTS
    assert cast(seed=2) != CONTACTS


def test_the_scheduler_takes_all_of_them_and_refuses_what_it_must() -> None:
    good, bad = check(read_csv(as_csv(CONTACTS).encode()), lambda _: "", 1.8e9)
    assert [contact.to for contact in good] == [contact.number for contact in CONTACTS]
    zones = {code: zone for code, (_, zone) in TOWNS.items()}
    assert all(contact.zones == (zones[contact.to[2:5]],) for contact in good)
    assert [(fault.line, fault.reason.split(":")[0]) for fault in bad] == [(32, "consent"), (33, "to")]


@pytest.mark.parametrize(
    "moment", ["2026-03-03T12:00:30", "2026-03-08T01:59:30", "2026-11-01T00:30:00", "2026-07-01T23:59:59"]
)
def test_three_towns_may_be_called_and_the_fourth_within_a_minute(moment: str) -> None:
    now = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(LATEST))
    asked = window(now)
    hours = Hours(Span(minutes(asked["start"]), minutes(asked["end"])))
    for _, zone in TOWNS.values():
        opens_s = next_open(hours, (zone,), now.timestamp())
        assert opens_s is not None
        assert opens_s - now.timestamp() <= 60
        assert is_open(hours, (zone,), now.timestamp()) == (zone != LATEST)


def test_the_table_is_drawn_in_place_where_somebody_watches() -> None:
    table = Table(CONTACTS, Style(), live=True)
    rows = {contact.number: Row("waiting", 0) for contact in CONTACTS}
    first = table.lines(rows)
    assert len(first) == len(CONTACTS) + 2
    assert table.lines(rows) == []
    rows[CONTACTS[0].number] = Row("done", 1, "completed")
    again = table.lines(rows)
    assert again[0].startswith(f"\x1b[{len(first)}A\x1b[J")
    assert "1 of 30" in again[-1]


def test_elsewhere_it_is_a_line_for_each_change() -> None:
    table = Table(CONTACTS, Style(), live=False)
    rows = {contact.number: Row("waiting", 0, note="until 09:00:00") for contact in CONTACTS[:2]}
    assert len(table.lines(rows)) == 2
    rows[CONTACTS[0].number] = Row("ringing", 1)
    (line,) = table.lines(rows)
    assert line.split()[0] == CONTACTS[0].number
    assert line.endswith("1  ringing")
