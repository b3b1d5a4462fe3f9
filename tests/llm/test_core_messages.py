"""What a model is told: heard text only, in turns, bounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from voxbus.common.agents import Agent, Voice
from voxbus.common.events import (
    Attached,
    Event,
    Heard,
    Interrupted,
    ReplyEnded,
    Sentence,
    Started,
    Stored,
    Utterance,
)
from voxbus.common.fold import CallState, fold
from voxbus.llm.core_chat import Message
from voxbus.llm.core_dialogue import Said
from voxbus.llm.core_messages import GO_ON, conversation, messages, repeats, silences

CALL = "CA" + "0" * 32
MakeState = Callable[[Sequence[Event]], CallState]


@pytest.fixture
def state(agent: Agent) -> MakeState:
    """The state after an inbound call's start (held under 2) and then ``events``."""

    def make(events: Sequence[Event]) -> CallState:
        start = Started(call=CALL, stream_sid="MZ", session="s", direction="inbound", agent=agent)
        log = [start, Attached(call=CALL, worker="w", nonce="n"), *events]
        return fold(Stored(number, float(number), event) for number, event in enumerate(log, 1))

    return make


def sentence(turn: int, index: int, text: str, attempt: int = 0) -> Sentence:
    return Sentence(call=CALL, turn=turn, attempt=attempt, index=index, text=text, voice=Voice())


def heard(turn: int, index: int, text: str, *, complete: bool = True) -> Heard:
    return Heard(
        call=CALL, stream_sid="MZ", turn=turn, sentence=index, complete=complete, played_ms=9, text=text,
        known_by="mark",
    )  # fmt: skip


def said(turn: int, text: str, **fields: object) -> Utterance:
    fields = {
        "ended_by": "silence",
        "start_media_ms": turn * 1000 - 500,
        "end_media_ms": turn * 1000,
    } | fields
    return Utterance(call=CALL, holder=2, turn=turn, text=text, **fields)  # type: ignore[arg-type]


def texts(state: CallState, turn: int) -> list[tuple[str, str]]:
    return [(message.role, message.text) for message in messages(state, turn)[1:]]


def test_the_prompt_comes_first_and_the_turn_last(state: MakeState, agent: Agent) -> None:
    made = messages(state([sentence(1, 0, "Hello."), heard(1, 0, "Hello."), said(2, "hi")]), 2)
    assert made == (Message("system", agent.prompt), Message("assistant", "Hello."), Message("user", "hi"))


def test_an_interrupted_reply_ends_where_the_caller_stopped_listening(state: MakeState) -> None:
    cut = Interrupted(call=CALL, stream_sid="MZ", turn=2, sentence=1, played_ms=300, text="Second one")
    events = [
        said(2, "tell me"),
        sentence(2, 0, "First one here."),
        sentence(2, 1, "Second one here."),
        sentence(2, 2, "Third one here."),
        heard(2, 0, "First one here."),
        cut,
        said(3, "stop"),
    ]
    assert texts(state(events), 3) == [
        ("user", "tell me"), ("assistant", "First one here. Second one"), ("user", "stop"),
    ]  # fmt: skip


def test_what_was_not_heard_is_not_history(state: MakeState) -> None:
    cut = Interrupted(call=CALL, stream_sid="MZ", turn=2, sentence=0, played_ms=0, text="")
    events = [said(2, "tell me"), sentence(2, 0, "Never played."), cut, said(3, "wait")]
    assert texts(state(events), 3) == [("user", "tell me wait")]


def test_a_noise_is_no_word(state: MakeState) -> None:
    noise = said(0, "", backchannel=True, end_media_ms=500)
    assert texts(state([noise, said(2, "hello")]), 2) == [("user", "hello")]


def test_a_backchannel_stands_before_the_next_words(state: MakeState) -> None:
    murmur = said(2, "mm-hm", backchannel=True, end_media_ms=2500)
    events = [said(2, "tell me"), sentence(2, 0, "A long story."), murmur, said(3, "go on")]
    assert texts(state(events), 3) == [
        ("user", "tell me"), ("assistant", "A long story."), ("user", "(mm-hm) go on"),
    ]  # fmt: skip


def test_digits_are_told_from_words(state: MakeState) -> None:
    assert texts(state([said(2, "12", ended_by="dtmf")]), 2) == [("user", "(pressed the keys 1 2)")]


def test_turns_without_words_leave_only_the_reprompt(state: MakeState) -> None:
    events = [said(2, "", ended_by="no_words"), sentence(2, 0, "Sorry?"), said(3, "yes")]
    assert texts(state(events), 3) == [("assistant", "Sorry?"), ("user", "yes")]


def test_an_attempt_that_was_joined_is_one_message(state: MakeState) -> None:
    events = [said(2, "i want"), sentence(2, 0, "Yes?"), said(2, "i want to move it", attempt=1)]
    assert texts(state(events), 2) == [("user", "i want to move it")]


def test_the_history_is_bounded(state: MakeState) -> None:
    events = [
        event
        for turn in range(2, 102)
        for event in (said(turn, f"question {turn}"), sentence(turn, 0, f"Answer {turn}."))
    ]
    made = messages(state([*events, said(102, "last")]), 102)
    assert len(made) == 1 + 40
    assert made[0].role == "system"
    assert made[-1] == Message("user", "last")
    assert len(conversation(state([*events, said(102, "last")]), 102)) == 101


def test_a_takeover_asks_to_go_on(state: MakeState) -> None:
    made = messages(
        state([said(2, "hi"), sentence(2, 0, "One."), sentence(2, 1, "Two.")]), 2, published=["One.", "Two."]
    )
    assert made[-3:] == (Message("user", "hi"), Message("assistant", "One. Two."), Message("system", GO_ON))


def test_the_conversation_is_what_was_said_with_words(state: MakeState) -> None:
    events = [
        said(2, "yes"),
        said(2, "mm-hm", backchannel=True, end_media_ms=2300),
        said(3, "", ended_by="no_input"),
        said(4, "1", ended_by="dtmf"),
        said(5, "later"),
    ]
    assert conversation(state(events), 4) == (Said("yes"), Said("1", keys=True))


@pytest.mark.parametrize(
    ("piece", "repeated"),
    [
        ("It is on Thursday.", True),
        ("it is on thursday!", True),
        ("It is on Thursday, as I said.", True),
        ("It is at ten.", False),
        ("Yes.", False),
        ("", False),
    ],
)
def test_repeats(piece: str, repeated: bool) -> None:
    assert repeats(piece, ["It is on Thursday.", "Fine with you?"]) is repeated


def test_silences_are_counted_from_the_last_words(state: MakeState) -> None:
    silence = {"ended_by": "no_input"}
    events = [
        said(2, "", **silence),
        said(3, "yes"),
        said(4, "", **silence),
        said(5, "", **silence),
        said(6, "", **silence),
    ]
    made = state(events)
    assert [silences(made, turn, "no_input") for turn in (2, 3, 4, 5, 6)] == [0, 1, 0, 1, 2]
    assert silences(made, 6, "no_words") == 0


def test_a_reply_that_ended_leaves_no_trace_of_its_end(state: MakeState) -> None:
    events = [
        said(2, "hi"),
        sentence(2, 0, "One."),
        ReplyEnded(call=CALL, turn=2, sentences=1, reason="complete"),
        said(3, "ok"),
    ]
    assert texts(state(events), 3) == [("user", "hi"), ("assistant", "One."), ("user", "ok")]
