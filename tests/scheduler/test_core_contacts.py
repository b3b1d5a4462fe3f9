"""Lists of contacts as people upload them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from voxbus.scheduler.core_contacts import Contact, Fault, NotAList, check, read_csv, read_json

NOW_S = datetime(2026, 3, 3, 12, tzinfo=UTC).timestamp()
CONSENT = {"source": "web form", "at": "2026-01-02T03:04:05Z"}


def checked(rows: object, objection: str = "") -> tuple[list[Contact], list[Fault]]:
    return check(read_json(json.dumps(rows).encode()), lambda _: objection, NOW_S)


def reason(row: object) -> str:
    good, bad = checked([row])
    assert good == []
    (fault,) = bad
    assert fault.line == 1
    assert "\n" not in fault.reason
    assert "5550123" not in fault.reason
    return fault.reason


def test_a_good_contact() -> None:
    row = {"to": "+1 (212) 555-0123", "consent": CONSENT, "variables": {"name": "Ann"}}
    (contact,), bad = checked({"contacts": [row]})
    assert bad == []
    assert contact == Contact(
        line=1,
        to="+12125550123",
        zones=("America/New_York",),
        consent_source="web form",
        consent_at_s=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp(),
        variables={"name": "Ann"},
    )


def test_its_own_time_zone_counts_more_than_the_numbers() -> None:
    (contact,), _ = checked([{"to": "+12125550123", "timezone": "Europe/Berlin", "consent": CONSENT}])
    assert contact.zones == ("Europe/Berlin",)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"to": "+12125550123"}, "consent: none is recorded"),
        ({"to": "+12125550123", "consent": {"source": " ", "at": CONSENT["at"]}}, "consent.source"),
        ({"to": "+12125550123", "consent": {"source": "x", "at": "yesterday"}}, "ISO 8601"),
        ({"to": "+12125550123", "consent": {"source": "x", "at": "2026-01-02T03:04:05"}}, "offset"),
        ({"to": "+12125550123", "consent": {"source": "x", "at": "2027-01-02T03:04:05Z"}}, "future"),
        ({"to": "212 555 0123", "consent": CONSENT}, "country code"),
        ({"to": "+1212555012", "consent": CONSENT}, "length"),
        ({"to": "+15555550123", "consent": CONSENT}, "no such numbers"),
        ({"to": "+12125550123;ext=5", "consent": CONSENT}, "extension"),
        ({"to": "", "consent": CONSENT}, "not a telephone number"),
        ({"consent": CONSENT}, "to: Field required"),
        ({"to": "+12125550123", "timezone": "Mars", "consent": CONSENT}, "timezone: not a time zone"),
        ({"to": "+12125550123", "consent": CONSENT, "variables": {"A b": "c"}}, "variables"),
        ({"to": "+12125550123", "consent": CONSENT, "extra": 1}, "extra"),
        ("+12125550123", "contact"),
        (None, "columns"),
    ],
)
def test_a_bad_contact_is_refused_with_its_reason(row: object, said: str) -> None:
    assert said in reason(row)


def test_good_rows_are_kept_beside_bad_ones_and_a_number_counts_once() -> None:
    good = {"to": "+12125550123", "consent": CONSENT}
    contacts, faults = checked([{"to": "x"}, good, good | {"to": "+1 212 555 0123"}])
    assert [contact.line for contact in contacts] == [2]
    assert [fault.line for fault in faults] == [1, 3]
    assert "line 2" in faults[1].reason


def test_the_campaign_may_object() -> None:
    _, (fault,) = checked([{"to": "+12125550123", "consent": CONSENT}], "no value for {name}")
    assert fault.reason == "no value for {name}"


CSV = """\ufeffTo,consent_source,consent_at,name,timezone
+12125550123,web form,2026-01-02T03:04:05Z,"Ann
of two lines",
+13125550123,,,Bob,

+13035550123,paper,2026-01-02T03:04:05Z
"+1 303 555 0199",paper,2026-01-02T03:04:05+01:00,"O""Neil",America/Denver
"""


def test_a_csv_file() -> None:
    good, bad = check(read_csv(CSV.encode()), lambda _: "", NOW_S)
    assert [(c.line, c.to, c.variables) for c in good] == [
        (2, "+12125550123", {"name": "Ann\nof two lines"}),
        (7, "+13035550199", {"name": 'O"Neil'}),
    ]
    assert [(fault.line, fault.reason.split(";")[0]) for fault in bad] == [
        (4, "consent: none is recorded"),
        (6, "it has not as many columns as the first line"),
    ]


def test_half_of_a_character_is_no_reason_to_lose_the_list() -> None:
    row = {"to": "+12125550123", "consent": CONSENT, "variables": {"name": "Ann \ud83d"}}
    (contact,), _ = checked([row])
    assert contact.variables == {"name": "Ann ?"}


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e"])
def test_only_a_line_break_ends_a_row(mark: str) -> None:
    said = f"it costs 10{mark}0 dollars"
    rows = f"to,consent_source,consent_at,note\r\n+12125550123,form,2026-01-02T03:04:05Z,{said}\r\n"
    rows += "+13035550199,form,2026-01-02T03:04:05Z,x\r\n"
    good, bad = check(read_csv(rows.encode()), lambda _: "", NOW_S)
    assert bad == []
    assert [(c.line, c.variables) for c in good] == [(2, {"note": said}), (3, {"note": "x"})]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "first line"),
        (b"number,name\n", "first line"),
        (b"to,to\n", "each once"),
        (b"\xff\xfe", "UTF-8"),
        (b'to,name\n"+1', "not CSV"),
    ],
)
def test_what_is_no_csv_list_is_refused_as_a_whole(body: bytes, said: str) -> None:
    with pytest.raises(NotAList, match=said):
        check(read_csv(body), lambda _: "", NOW_S)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"7", b'{"contacts": 7}', b"[" * 200_000, b"[" * 200 + b"]" * 200]
)
def test_what_is_no_json_list_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(NotAList):
        check(read_json(body), lambda _: "", NOW_S)
