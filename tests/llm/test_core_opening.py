"""How outbound calls begin, row by row."""

from __future__ import annotations

from typing import Any

import pytest

from voxbus.common.agents import Agent, Dialogue, Intent, Lines, Reply, Voice
from voxbus.common.events import (
    Attached,
    Event,
    Interrupted,
    Sentence,
    Started,
    Stored,
    Utterance,
    UtteranceWithdrawn,
)
from voxbus.common.fold import CallState, fold
from voxbus.llm.core_chat import Message
from voxbus.llm.core_dialogue import Said
from voxbus.llm.core_messages import conversation, messages
from voxbus.llm.core_opening import introduction, opening
from voxbus.llm.core_turn import Ask, Decision, Say, decide

CALL = "CA" + "0" * 32
WHO = "This is a test. I am calling about Monday."
AGENT = Agent(
    name="a",
    prompt="p",
    lines=Lines(greeting="Hello.", no_words=("What?", "Again?"), no_input=("Still there?", "Hm?")),
    grammar="#JSGF V1.0;\ngrammar a;\npublic <u> = who is calling [please] | please hold | yes;",
    dialogue=Dialogue(
        memory={"day": "Monday"},
        intents=(
            Intent(
                name="calling",
                phrases=("who is calling [please]",),
                screener="answer",
                reply=Reply(say="This is a test. I am calling about {day}."),
            ),
            Intent(
                name="hold", phrases=("please hold",), screener="wait", reply=Reply(say="Take your time.")
            ),
            Intent(name="yes", phrases=("yes",), reply=Reply(say="Fine.")),
        ),
    ),
)


def said(turn: int, text: str, **fields: Any) -> Utterance:
    usual: dict[str, Any] = {"ended_by": "silence" if text else "no_words", "start_media_ms": 0}
    return Utterance(call=CALL, holder=2, turn=turn, text=text, **usual | {"end_media_ms": turn} | fields)


def silent(turn: int) -> Utterance:
    return said(turn, "", ended_by="no_input")


def cut(turn: int) -> tuple[Event, Event]:
    return (
        Sentence(call=CALL, turn=turn, index=0, text="Hello.", voice=Voice()),
        Interrupted(call=CALL, stream_sid="MZ", turn=turn, sentence=0, played_ms=1, text=""),
    )


def state(*events: Event, direction: Any = "outbound") -> CallState:
    started = Started(call=CALL, stream_sid="MZ", session="s", direction=direction, agent=AGENT)
    log = [started, Attached(call=CALL, worker="w", nonce="n"), *events]
    return fold(Stored(number, 100.0 + number, event) for number, event in enumerate(log, 1))


def answers(*events: Event) -> Decision:
    """To the last utterance."""
    job = [event for event in events if isinstance(event, Utterance)][-1]
    return decide(job, state(*events), 0.0)


@pytest.mark.parametrize("first", [said(1, ""), said(1, "yes"), silent(1), said(1, "1", ended_by="dtmf")])
def test_whatever_comes_first_is_greeted(first: Utterance) -> None:
    assert answers(first) == Say(1, 0, "Hello.")


def test_after_the_greeting_it_is_a_conversation_like_any_other() -> None:
    hello = said(1, "")
    assert answers(hello, said(2, "yes")) == Ask(2, 0, final=True)
    assert answers(hello, said(2, "")) == Say(2, 0, "What?")
    assert answers(hello, silent(2)) == Say(2, 0, "Still there?")
    assert answers(hello, said(2, "who is calling")) == Ask(2, 0, final=True)


def test_what_the_greeting_answered_was_no_failure() -> None:
    assert answers(said(1, ""), said(2, "")) == Say(2, 0, "What?")
    assert answers(silent(1), silent(2)) == Say(2, 0, "Still there?")
    assert answers(silent(1), silent(2), silent(3)) == Say(3, 0, "Hm?")


def test_what_the_greeting_answered_agrees_to_nothing() -> None:
    log = state(said(1, "yes"), said(2, "yes"))
    assert conversation(log, 2) == (Said("yes"),)
    assert Message("user", "yes") in messages(log, 1)  # a model is told
    inbound = state(said(2, "yes"), direction="inbound")
    assert conversation(inbound, 2) == (Said("yes"),)


def test_a_hello_that_goes_on_is_greeted_once() -> None:
    withdrawn = UtteranceWithdrawn(call=CALL, holder=2, turn=1, attempt=0)
    assert answers(said(1, ""), withdrawn, said(1, "yes", attempt=1)) == Say(1, 1, "Hello.")


def test_a_hello_over_the_greeting_that_cut_it_gets_the_greeting_again() -> None:
    log = [said(1, ""), *cut(1), said(2, "")]
    assert answers(*log) == Say(2, 0, "Hello.")
    assert answers(*log, *cut(2), said(3, "")) == Say(3, 0, "Hello.")
    assert answers(*log, *cut(2), said(3, ""), *cut(3), said(4, "")) == Say(4, 0, "What?")
    assert answers(*log, said(3, "")) == Say(3, 0, "What?")  # this time it was heard
    assert answers(said(1, ""), *cut(1), said(2, "yes")) == Ask(2, 0, final=True)


@pytest.mark.parametrize(
    "question", ["who is calling", "Hello, who is calling, please?", "um who is calling"]
)
def test_a_screener_is_told_who_and_why(question: str) -> None:
    assert answers(said(1, question)) == Say(1, 0, WHO)
    assert introduction(AGENT, question) == WHO


def test_whoever_comes_after_a_screener_is_greeted() -> None:
    asked = said(1, "who is calling")
    assert answers(asked, said(2, "")) == Say(2, 0, "Hello.")
    assert answers(asked, said(2, "yes")) == Say(2, 0, "Hello.")
    assert answers(asked, silent(2)) == Say(2, 0, "Hello.")
    assert answers(asked, said(2, "who is calling")) == Say(2, 0, WHO)


def test_nothing_is_said_to_a_screener_that_puts_the_call_through() -> None:
    log = [said(1, "who is calling"), said(2, "please hold")]
    assert answers(*log) == Say(2, 0, "")
    assert answers(*log, said(3, "")) == Say(3, 0, "Hello.")
    # The screener may have said more, or the person says hello again: it is not known who heard the greeting.
    assert answers(*log, said(3, ""), said(4, "")) == Say(4, 0, "Hello.")
    assert answers(*log, said(3, ""), said(4, "yes")) == Ask(4, 0, final=True)
    assert answers(*log, said(3, ""), said(4, "please hold")) == Ask(4, 0, final=True)
    assert conversation(state(*log, said(3, "yes"), said(4, "yes")), 4) == (Said("yes"),)


def test_the_time_limit_ends_any_opening() -> None:
    assert answers(said(1, "", ended_by="time_limit")) == Say(1, 0, "Goodbye.", hangup="time_limit")
    assert opening(state(said(1, "", ended_by="time_limit"))) == {}
