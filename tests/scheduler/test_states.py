"""The life of a call that we place."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus.common import events as ev
from voxbus.common.agents import Agent, Lines
from voxbus.common.events import Event, Stored
from voxbus.common.fold import fold
from voxbus.common.outcome import Outcome
from voxbus.scheduler.core_states import (
    LIVE,
    MAYBE,
    OUTCOMES,
    SOURCES,
    Pending,
    State,
    from_carrier,
    from_log,
    may,
    reason_of,
)

SID = "CA" + "0" * 32
STATES: tuple[State, ...] = (*get_args(Pending), *get_args(Outcome))


def test_every_state_is_in_the_table() -> None:
    assert set(SOURCES) == set(STATES)


def test_what_was_once_sent_comes_back_to_the_queue_only_from_dialling() -> None:
    assert SOURCES["queued"] == {"claimed", "dialling"}
    assert SOURCES["dialling"] == {"claimed"}
    for state in (*MAYBE - {"dialling"}, *LIVE, *OUTCOMES):
        assert not may(state, "queued")
        assert not may(state, "claimed")
        assert not may(state, "dialling")


def test_every_state_leads_to_an_outcome() -> None:
    for state in STATES:
        reached: set[State] = {state}
        while True:
            more = {new for new in STATES for old in reached if may(old, new)} | reached
            if more == reached:
                break
            reached = more
        assert reached & OUTCOMES


def test_outcomes_are_left_for_outcomes_only() -> None:
    for outcome in OUTCOMES:
        assert {new for new in STATES if may(outcome, new)} == OUTCOMES - {outcome}


agent = Agent(name="a", prompt="p", lines=Lines(greeting="g"))


def status(sequence: int, word: str) -> Event:
    return ev.Status(call=SID, sequence=sequence, status=word)


happening: list[Event] = [
    status(0, "initiated"),
    status(1, "ringing"),
    status(2, "in-progress"),
    status(3, "completed"),
    ev.Started(call=SID, stream_sid="MZ", session="s", direction="outbound", agent=agent),
    ev.Ended(call=SID, reason="caller_hung_up"),
]


@given(order=st.permutations(happening))
def test_whatever_the_order_a_longer_log_never_leads_backwards(order: list[Event]) -> None:
    rank: dict[State, int] = {"placed": 0, "ringing": 1, "in_progress": 2, **dict.fromkeys(OUTCOMES, 3)}
    log = [Stored(n, float(n), event) for n, event in enumerate(order, 1)]
    ranks = [rank[from_log(fold(log[:n]))] for n in range(1, len(log) + 1)]
    assert ranks == sorted(ranks)
    assert ranks[-1] == 3


@pytest.mark.parametrize(
    ("events", "state", "reason"),
    [
        ([status(0, "initiated")], "placed", ""),
        ([status(1, "ringing"), status(0, "initiated")], "ringing", ""),
        ([status(2, "in-progress"), status(1, "ringing")], "in_progress", ""),
        (happening[:1] + happening[4:5], "in_progress", ""),
        ([status(2, "busy")], "busy", "busy"),
        (
            [status(2, "no-answer"), ev.Ended(call=SID, reason="carrier", detail="no-answer")],
            "no_answer",
            "no-answer",
        ),
        (happening[4:], "completed", "caller_hung_up"),
    ],
)
def test_where_a_call_stands_by_its_log(events: list[Event], state: State, reason: str) -> None:
    told = fold(Stored(n, float(n), event) for n, event in enumerate(events, 1))
    assert (from_log(told), reason_of(told)) == (state, reason)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("queued", "placed"),
        ("initiated", "placed"),
        ("ringing", "ringing"),
        ("in-progress", "in_progress"),
        ("completed", "completed"),
        ("busy", "busy"),
        ("no-answer", "no_answer"),
        ("canceled", "canceled"),
        ("failed", "failed"),
        ("a word of the future", "placed"),
    ],
)
def test_where_a_call_stands_by_the_carriers_records(word: str, state: State) -> None:
    assert from_carrier(word) == state
