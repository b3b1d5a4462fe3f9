"""What holds of any log, whatever is in it. One test for each rule is in test_fold.py."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxbus.common import events as ev
from voxbus.common.agents import Agent, Lines, Voice
from voxbus.common.events import KINDS, Event, Stored
from voxbus.common.fold import CallState, fold

SID = "CA" + "0" * 32
#: Between two events of a log there is room for others.
STEP = 10

#: In the place of a holder or a stream: the one that counts when the event is stored.
_LATEST: Any = -1
_CURRENT = "current"
#: Holders and streams that never were.
_NOBODY = 1
_FOREIGN = "MZ9"

_turns = st.integers(1, 3)
_attempts = st.integers(0, 1)
_indices = st.integers(0, 2)
_of_stt = {"call": st.just(SID), "holder": st.sampled_from([_LATEST, _LATEST, _LATEST, _NOBODY])}
_of_reply = {"call": st.just(SID), "turn": _turns, "attempt": _attempts}
_of_stream = {"call": st.just(SID), "stream_sid": st.sampled_from([_CURRENT, _CURRENT, _CURRENT, _FOREIGN])}
_any_ms = st.integers(0, 3)
_any_text = st.sampled_from(["", "one", "two words"])

_EVENTS: dict[type[Event], dict[str, st.SearchStrategy[Any]]] = {
    ev.Resumed: {"call": st.just(SID), "stream_sid": st.sampled_from(["MZ1", "MZ2"])},
    ev.Attached: {"call": st.just(SID), "worker": st.just("w"), "nonce": st.just("n")},
    ev.SpeechStarted: _of_stt | {"media_ms": _any_ms, "over_agent": st.booleans()},
    ev.BargeIn: _of_stt | {"media_ms": _any_ms, "by": st.just("words")},
    ev.Utterance: _of_stt | {
        "turn": _turns,
        "attempt": _attempts,
        "text": _any_text,
        "start_media_ms": st.just(0),
        "end_media_ms": _any_ms,
        "ended_by": st.sampled_from(["silence", "silence", "machine"]),
        "final": st.booleans(),
        "backchannel": st.sampled_from([False, False, True]),
    },
    ev.UtteranceConfirmed: _of_stt | {"turn": _turns, "attempt": _attempts},
    ev.UtteranceWithdrawn: _of_stt | {"turn": _turns, "attempt": _attempts},
    ev.Sentence: _of_reply | {"index": _indices, "text": st.just("Hello there."), "voice": st.just(Voice())},
    ev.ReplyEnded: _of_reply | {"sentences": _indices, "reason": st.just("complete")},
    ev.ToolCalled: _of_reply | {"index": _indices, "name": st.just("t")},
    ev.ToolReturned: _of_reply | {"index": _indices, "name": st.just("t"), "ok": st.booleans()},
    ev.Heard: _of_stream | _of_reply | {
        "sentence": _indices,
        "complete": st.booleans(),
        "played_ms": _any_ms,
        "text": _any_text,
        "known_by": st.just("mark"),
    },
    ev.Paused: _of_stream | {"turn": _turns, "sentence": _indices, "played_ms": _any_ms, "media_ms": _any_ms},
    ev.Continued: _of_stream | {"turn": _turns, "sentence": _indices, "media_ms": _any_ms},
    ev.Interrupted: _of_stream | _of_reply | {"sentence": _indices, "played_ms": _any_ms, "text": _any_text},
    ev.Dtmf: _of_stream | {"sequence": _any_ms, "digit": st.just("1"), "media_ms": _any_ms},
    ev.Status: {
        "call": st.just(SID),
        "sequence": _any_ms,
        "answered_by": st.sampled_from(["", "", "human", "machine_start"]),
    },
    ev.HangupRequested: _of_reply | {"reason": st.just("r")},
    ev.TransferRequested: _of_reply | {"target": st.just("t")},
    ev.DoNotCallRequested: _of_reply | {"text": st.just("x")},
    ev.RecordingStarted: _of_stream | {"store": st.just("s"), "place": st.just("p")},
    ev.RecordingEnded: _of_stream,
    ev.Disconnected: _of_stream | {"code": st.just(1006)},
    ev.Ended: {"call": st.just(SID), "reason": st.just("carrier")},
    ev.ReportDelivered: {"call": st.just(SID), "attempts": st.just(1)},
    ev.ReportLost: {"call": st.just(SID), "attempts": st.just(1), "error": st.just("e")},
}  # fmt: skip

_agent = Agent(name="a", prompt="p", lines=Lines(greeting="Hello."), machine_detection="hang_up")
_started = st.builds(
    ev.Started,
    call=st.just(SID),
    stream_sid=st.just("MZ1"),
    session=st.just("s"),
    direction=st.sampled_from(["inbound", "outbound"]),
    agent=st.just(_agent),
)
#: ``ended`` as one of all would leave little of a log to look at.
_going_on = st.one_of([st.builds(kind, **fields) for kind, fields in _EVENTS.items() if kind is not ev.Ended])
_anything = st.one_of([_going_on] * 20 + [st.builds(ev.Ended, **_EVENTS[ev.Ended])])


def _stored(start: ev.Started, rest: list[Event]) -> list[Stored]:
    """A log whose events are of the holder and of the stream that count, but for those of nobody."""
    log: list[Stored] = []
    holder, stream = 0, ""
    for number, event in enumerate([start, ev.Attached(call=SID, worker="w", nonce="n"), *rest], 1):
        changed: dict[str, Any] = {}
        if getattr(event, "holder", None) == _LATEST:
            changed["holder"] = holder
        if getattr(event, "stream_sid", None) == _CURRENT:
            changed["stream_sid"] = stream
        event = replace(event, **changed)
        match event:
            case ev.Started() | ev.Resumed():
                stream = event.stream_sid
            case ev.Attached():
                holder = number * STEP
        log.append(Stored(number * STEP, 1000.0 + number, event))
    return log


logs = st.builds(_stored, _started, st.lists(_anything, max_size=30))


def logs_of(*kinds: type[Event]) -> st.SearchStrategy[list[Stored]]:
    """What one rule is about, so that it comes to pass often."""
    some = st.one_of([st.builds(kind, **_EVENTS[kind]) for kind in kinds])
    return st.builds(_stored, _started, st.lists(some, min_size=4, max_size=20))


def _with(event: Event, name: str, value: Any) -> Event:
    return replace(event, **{name: value})


def known(state: CallState) -> CallState:
    """Without what counts the events."""
    return replace(state, sequence=0, void=0)


def test_every_kind_is_in_these_logs() -> None:
    assert {kind.kind for kind in _EVENTS} | {"started"} == set(KINDS)


@given(logs, st.data())
def test_events_that_come_again_change_nothing(log: list[Stored], data: st.DataObject) -> None:
    once = fold(log)
    assert fold([*log, *log]) == once
    assert fold(stored for stored in log for _ in range(2)) == once
    # A log that is read, and live events from somewhere in it on; or from before it was read.
    read, live = sorted(data.draw(st.tuples(*[st.integers(0, len(log))] * 2)), reverse=True)
    assert fold([*log[:read], *log[live:]]) == once


@given(logs)
def test_events_that_are_void_change_nothing(log: list[Stored]) -> None:
    state = CallState()
    for stored in log:
        before = copy.deepcopy(state)
        counted = state.apply(stored)
        assert state.sequence == stored.sequence
        assert state.void == before.void + (not counted)
        if not counted:
            assert known(state) == known(before)


@settings(max_examples=200)
@given(logs, st.lists(st.tuples(st.integers(1, 31), _going_on), max_size=20))
def test_what_another_holder_or_stream_says_changes_nothing(
    log: list[Stored], others: list[tuple[int, Event]]
) -> None:
    """In between, in any place: of a holder that was replaced, or of a stream that is over."""
    strays = []
    for number, (place, event) in enumerate(others):
        at = log[min(place, len(log) - 1)]
        before = [
            one.sequence for one in log if isinstance(one.event, ev.Attached) and one.sequence <= at.sequence
        ]
        if hasattr(event, "holder"):
            stray = _with(event, "holder", (_NOBODY, *before)[-2])
        elif hasattr(event, "stream_sid") and not isinstance(
            event, ev.Resumed | ev.RecordingStarted | ev.RecordingEnded
        ):
            stray = _with(event, "stream_sid", _FOREIGN)
        else:
            continue
        strays.append(Stored(at.sequence + 1 + number % (STEP - 1), at.time_s, stray))
    mixed = sorted({one.sequence: one for one in [*strays, *log]}.values(), key=lambda one: one.sequence)
    state = fold(mixed)
    assert known(state) == known(fold(log))
    assert state.void == fold(log).void + len(mixed) - len(log)


@given(logs)
def test_after_the_end_the_conversation_stands_still(log: list[Stored]) -> None:
    state = CallState()
    for stored in log:
        before = copy.deepcopy(state)
        state.apply(stored)
        if before.ended is None:
            continue
        for name in (
            "turns",
            "backchannels",
            "digits",
            "holder",
            "stream_sid",
            "latest_turn",
            "paused",
            "ended",
        ):
            assert getattr(state, name) == getattr(before, name), name


@settings(max_examples=200)
@given(
    logs_of(
        ev.Utterance, ev.UtteranceConfirmed, ev.UtteranceWithdrawn, ev.Sentence, ev.Interrupted,
        ev.HangupRequested, ev.TransferRequested,
    )
)  # fmt: skip
def test_what_was_said_before_the_turn_that_counts_is_settled(log: list[Stored]) -> None:
    """Rules 4, 5 and 6: each sentence has its verdict, and nothing that was asked for then is still to be done."""
    state = CallState()
    for stored in log:
        before = state.latest_turn
        state.apply(stored)
        assert state.latest_turn >= before
        for turn in state.turns.values():
            if turn.number < state.latest_turn:
                assert turn.unplayed() == []
        for wish in (state.hangup, state.transfer):
            if wish is not None:
                assert wish.turn >= state.latest_turn
                asked = state.turns.get(wish.turn)
                assert asked is None or not asked.withdrawn
                assert asked is None or wish is not stored.event or wish.attempt == asked.attempt


@given(logs_of(ev.Status, ev.Utterance, ev.Sentence))
def test_a_machine_is_answered_once_and_nobody_else(log: list[Stored]) -> None:
    """Rule 8."""
    state = CallState()
    for stored in log:
        before = copy.deepcopy(state)
        state.apply(stored)
        if before.to_machine and state.to_machine and isinstance(stored.event, ev.Utterance):
            assert state.turns == before.turns or stored.event.ended_by == "machine"
            assert state.backchannels == before.backchannels or stored.event.ended_by == "machine"


@pytest.mark.lasting
def test_logs_are_various_enough() -> None:
    """Else the above would hold of nothing."""
    found: list[CallState] = []

    @given(logs)
    def look(log: list[Stored]) -> None:
        found.append(fold(log))

    look()
    assert any(state.turns and state.latest_turn > 1 for state in found)
    assert any(len(state.attached) > 1 and state.resumed for state in found)
    for name in ("to_machine", "ended", "hangup", "transfer", "paused", "void"):
        assert any(getattr(state, name) for state in found), name
