"""What the carrier's answers mean: was a call made, or might one have been?"""

from __future__ import annotations

import pytest

from voxbus.scheduler.core_carrier import (
    Answer,
    Listed,
    Refused,
    TooMany,
    Unclear,
    backoff_s,
    judge,
    match,
    rest_s,
)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, 21211, Refused),
        (401, 20003, Refused),
        (403, None, Refused),
        (404, 20404, Refused),
        (302, None, Refused),
        (429, 20429, TooMany),
        (429, None, TooMany),
        (400, 20429, TooMany),
        (408, None, Unclear),
        (500, 20500, Unclear),
        (502, 502, Unclear),
        (503, None, Unclear),
    ],
)
def test_only_a_word_that_nothing_was_done_lets_a_call_go_on(
    status: int, code: int | None, kind: type[Answer]
) -> None:
    assert isinstance(judge(status, code), kind)


def test_refusals_say_what_to_do_without_the_number() -> None:
    answer = judge(400, 21211, "Invalid 'To' Phone Number: +1555")
    assert answer == Refused("21211", "The number to call is not a valid telephone number.")
    unknown = judge(400, 29999, "Something new.")
    assert unknown == Refused("29999", "Something new.")
    assert judge(418) == Refused("418", "The carrier refused with HTTP 418.")


def test_three_rests_of_1_2_and_4_seconds_with_jitter() -> None:
    assert [backoff_s(tries, 0.0) for tries in (1, 2, 3, 4)] == [1.0, 2.0, 4.0, None]
    assert backoff_s(3, 0.999) == pytest.approx(5.0, abs=0.01)


def test_a_carrier_that_is_away_is_waited_for() -> None:
    assert [rest_s(tries, 0.0) for tries in (1, 2, 3, 4, 99)] == [1.0, 2.0, 4.0, 4.0, 4.0]


def listed(sid: str, created_s: float) -> Listed:
    return Listed(sid, "ringing", created_s)


def test_an_unanswered_request_is_the_one_call_that_nobody_else_made() -> None:
    ours = listed("new", 1000.0)
    before = listed("before", 900.0)
    assert match([ours, before, listed("other", 1001.0)], frozenset({"other"}), 1000.5, 0) == ours


@pytest.mark.parametrize(
    ("calls", "rivals"),
    [([], 0), ([("one", 1000.0), ("two", 1001.0)], 0), ([("one", 1000.0)], 1), ([("old", 900.0)], 0)],
)
def test_where_there_is_doubt_it_is_none(calls: list[tuple[str, float]], rivals: int) -> None:
    assert match([listed(*call) for call in calls], frozenset(), 1000.5, rivals) is None
