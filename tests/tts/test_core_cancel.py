"""What the live events of calls cancel."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus.common.events import Ended, Event, Interrupted, Utterance, UtteranceConfirmed, UtteranceWithdrawn
from voxbus.tts.core_cancel import KINDS, Cancellations

CALL = "CA" + "0" * 32


def utterance(turn: int, attempt: int = 0, *, final: bool = True, backchannel: bool = False) -> Utterance:
    return Utterance(
        call=CALL,
        holder=1,
        turn=turn,
        attempt=attempt,
        text="hello",
        start_media_ms=0,
        end_media_ms=500,
        ended_by="silence",
        final=final,
        backchannel=backchannel,
    )


def interrupted(turn: int, attempt: int = 0) -> Interrupted:
    return Interrupted(
        call=CALL, stream_sid="MZ", turn=turn, attempt=attempt, sentence=0, played_ms=0, text=""
    )


def withdrawn(turn: int, attempt: int = 0) -> UtteranceWithdrawn:
    return UtteranceWithdrawn(call=CALL, holder=1, turn=turn, attempt=attempt)


def confirmed(turn: int, attempt: int = 0) -> UtteranceConfirmed:
    return UtteranceConfirmed(call=CALL, holder=1, turn=turn, attempt=attempt)


CASES: list[tuple[Event, set[tuple[int, int]]]] = [
    (interrupted(2), {(1, 0), (2, 0)}),
    (interrupted(2, 1), {(1, 0), (2, 0), (2, 1)}),
    (withdrawn(2), {(2, 0)}),
    (withdrawn(2, 1), {(2, 0), (2, 1)}),
    (utterance(2), {(1, 0)}),
    (utterance(2, 1), {(1, 0), (2, 0)}),
    (utterance(2, final=False), set()),
    (utterance(2, backchannel=True), set()),
    (confirmed(2), {(1, 0)}),
    (Ended(call=CALL, reason="caller_hung_up"), {(1, 0), (2, 0), (2, 1), (3, 0)}),
]


@pytest.mark.parametrize(("event", "expected"), CASES)
def test_what_an_event_cancels(event: Event, expected: set[tuple[int, int]]) -> None:
    cancellations = Cancellations()
    assert cancellations.apply(event) == bool(expected)
    work = [(1, 0), (2, 0), (2, 1), (3, 0)]
    assert {w for w in work if cancellations.covers(CALL, *w)} == expected
    assert not cancellations.covers("CA" + "1" * 32, 1, 0)


def test_every_followed_kind_has_a_case() -> None:
    assert set(KINDS) == {event.kind for event, _ in CASES}


def test_the_same_again_cancels_nothing_new() -> None:
    cancellations = Cancellations()
    assert cancellations.apply(interrupted(2))
    assert not cancellations.apply(interrupted(2))
    assert not cancellations.apply(utterance(1))


events = st.one_of(
    st.builds(interrupted, st.integers(1, 5), st.integers(0, 2)),
    st.builds(withdrawn, st.integers(1, 5), st.integers(0, 2)),
    st.builds(utterance, st.integers(1, 5), st.integers(0, 2), final=st.booleans()),
    st.builds(confirmed, st.integers(1, 5), st.integers(0, 2)),
)


@given(st.lists(events))
def test_what_was_settled_stays_settled(log: list[Event]) -> None:
    cancellations = Cancellations()
    settled: set[tuple[int, int]] = set()
    work = [(turn, attempt) for turn in range(1, 6) for attempt in range(3)]
    for event in log:
        cancellations.apply(event)
        if isinstance(event, Interrupted):
            settled |= {w for w in work if w <= (event.turn, event.attempt)}
        assert all(cancellations.covers(CALL, *w) for w in settled)


def test_memory_is_bounded_and_the_oldest_call_goes_first() -> None:
    cancellations = Cancellations(max_calls=3)
    for number in range(5):
        cancellations.apply(Ended(call=f"call {number}", reason="carrier"))
    assert len(cancellations) == 3
    assert not cancellations.covers("call 1", 1, 0)
    assert cancellations.covers("call 2", 1, 0)
