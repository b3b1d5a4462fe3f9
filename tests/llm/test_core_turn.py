"""The table of core_turn, row by row."""

from __future__ import annotations

from typing import Any

import pytest

from voxbus.common.agents import Agent, Dialogue, Intent, Lines, Reply, Voice
from voxbus.common.events import (
    Attached,
    Ended,
    Event,
    Heard,
    Interrupted,
    ReplyEnded,
    Sentence,
    Started,
    Status,
    Stored,
    Utterance,
    UtteranceConfirmed,
    UtteranceWithdrawn,
)
from voxbus.common.fold import CallState, fold
from voxbus.llm.core_turn import Ask, Decision, Listen, Say, Skip, decide

CALL = "CA" + "0" * 32
AGENT = Agent(
    name="a",
    prompt="p",
    lines=Lines(greeting="Hello.", goodbye="Bye.", no_input=("Still there?",), no_words=("What?", "Again?")),
)


RECORDING = AGENT.model_copy(
    update={
        "recording": True,
        "lines": AGENT.lines.model_copy(update={"recording_notice": "We record. Hang up to object."}),
        "machine_detection": "leave_message",
    }
)


def started(direction: Any = "inbound", agent: Agent = AGENT) -> Started:
    return Started(call=CALL, stream_sid="MZ", session="s", direction=direction, agent=agent)


def state(*events: Event, direction: str = "inbound", agent: Agent = AGENT) -> CallState:
    log = [started(direction, agent), Attached(call=CALL, worker="w", nonce="n"), *events]
    return fold(Stored(number, 100.0 + number, event) for number, event in enumerate(log, 1))


def said(turn: int, text: str = "hello", **fields: Any) -> Utterance:
    usual: dict[str, Any] = {"ended_by": "silence", "start_media_ms": 0, "end_media_ms": 1, "holder": 2}
    return Utterance(call=CALL, turn=turn, text=text, **usual | fields)


def sentence(turn: int, **fields: Any) -> Sentence:
    return Sentence(call=CALL, turn=turn, index=0, text="Hm.", voice=Voice(), **fields)


def noticed(turn: int) -> tuple[Event, Event]:
    """The notice, in one sentence, and that it was heard."""
    heard = Heard(
        call=CALL,
        stream_sid="MZ",
        turn=turn,
        sentence=0,
        complete=True,
        played_ms=1,
        text="Hm.",
        known_by="mark",
    )
    return sentence(turn, notice="end"), heard


def notice(job: Started | Utterance, *events: Event, direction: str = "inbound") -> str:
    """What an agent that records says first in the turn of ``job``."""
    decision = decide(job, state(*events, direction=direction, agent=RECORDING), 1.0)
    assert isinstance(decision, Say | Ask)
    return decision.notice


def ended(turn: int, reason: Any = "complete") -> ReplyEnded:
    return ReplyEnded(call=CALL, turn=turn, sentences=1, reason=reason)


def answer(
    job: Utterance, *before: Event, after: tuple[Event, ...] = (), direction: str = "inbound"
) -> Decision:
    return decide(job, state(*before, job, *after, direction=direction), 1.0)


def test_the_greeting_of_an_inbound_call() -> None:
    assert decide(started(), state(), 0.0) == Say(1, 0, "Hello.", at_s=101.25)


def test_a_greeting_that_began_is_finished_and_one_that_ended_is_not() -> None:
    assert isinstance(decide(started(), state(sentence(1)), 0.0), Say)
    assert decide(started(), state(sentence(1), ended(1)), 0.0) == Skip("answered")
    assert decide(started(), state(said(2)), 0.0) == Skip("superseded")


def test_an_outbound_call_is_greeted_when_the_callee_has_spoken() -> None:
    assert decide(started("outbound"), state(direction="outbound"), 0.0) == Skip("outbound")
    assert answer(said(1), direction="outbound") == Say(1, 0, "Hello.")
    assert answer(said(1, "", ended_by="no_input"), direction="outbound") == Say(1, 0, "Hello.")


def test_words_are_answered_by_a_provider() -> None:
    assert answer(said(2)) == Ask(2, 0, final=True)
    assert answer(said(2, attempt=1), said(2)) == Ask(2, 1, final=True)
    assert answer(said(2, final=False)) == Ask(2, 0, final=False)


WITHDRAWN = UtteranceWithdrawn(call=CALL, holder=2, turn=2, attempt=0)
INTERRUPTED = Interrupted(call=CALL, stream_sid="MZ", turn=2, sentence=0, played_ms=1, text="H")
OVER = Ended(call=CALL, reason="carrier")


@pytest.mark.parametrize(
    ("decision", "reason"),
    [
        (decide(started(), state(), 15.1), "stale"),
        (answer(said(2, ""), after=(OVER,)), "ended"),
        (answer(said(2), after=(sentence(2), ended(2), OVER)), "ended"),
        (answer(said(2, holder=99)), "void"),
        (decide(said(2, "other words"), state(said(2)), 0.0), "void"),
        (answer(said(2, final=False), after=(said(3),)), "superseded"),
        (answer(said(2), after=(WITHDRAWN,)), "superseded"),
        (answer(said(2), after=(WITHDRAWN, OVER)), "ended"),
        (answer(said(2), after=(said(2, "hello again", attempt=1),)), "superseded"),
        (answer(said(2), after=(sentence(2), ended(2))), "answered"),
        (answer(said(2), after=(sentence(2), ended(2), INTERRUPTED)), "superseded"),
        (answer(said(2, backchannel=True)), "backchannel"),
        (decide(started(), CallState(), 0.0), "void"),
        (decide(said(2), CallState(), 0.0), "void"),
    ],
)
def test_what_is_left_alone(decision: Decision, reason: str) -> None:
    assert decision == Skip(reason)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("decision", "why"),
    [
        (decide(said(2), state(said(2)), 15.1), "stale"),
        (answer(said(2), after=(OVER,)), "ended"),
        (answer(said(2, final=False), after=(OVER,)), "ended"),
        (answer(said(2), after=(said(3),)), "superseded"),
        (answer(said(2), after=(sentence(2), INTERRUPTED)), "superseded"),
        (answer(said(2), after=(sentence(2), ended(2, "cut_off"))), "answered"),
        (answer(said(2), after=(sentence(2), ended(2, "fallback"))), "answered"),
    ],
)
def test_words_without_a_whole_answer_may_be_a_wish_not_to_be_called(decision: Decision, why: str) -> None:
    assert decision == Listen(2, 0, why)  # type: ignore[arg-type]


def test_a_guess_ages_from_its_confirmation() -> None:
    """It was prepared for a caller who might have gone on for long."""
    guess, confirmed = said(2, final=False), UtteranceConfirmed(call=CALL, holder=2, turn=2, attempt=0)
    assert decide(guess, state(guess), 60.0) == Ask(2, 0, final=False)
    now = state(guess, confirmed)  # stored at 103 and 104
    assert decide(guess, now, 15.9) == Ask(2, 0, final=True)
    assert decide(guess, now, 16.1) == Listen(2, 0, "stale")


def test_a_crowd_of_old_jobs_asks_no_model() -> None:
    old = decide(said(2), state(said(2)), 15.1)
    assert isinstance(old, Listen)
    assert not old.models


def test_what_a_callee_says_first_may_be_one_and_what_a_screener_says_is_none() -> None:
    assert answer(said(1), after=(OVER,), direction="outbound") == Listen(1, 0, "ended")
    screener = Intent(name="s", phrases=("who is calling",), screener="answer", reply=Reply(say="We are."))
    grammar = "#JSGF V1.0; grammar g; public <u> = who is calling;"
    agent = AGENT.model_copy(update={"grammar": grammar, "dialogue": Dialogue(intents=(screener,))})
    question = said(1, "who is calling")
    over = state(question, OVER, direction="outbound", agent=agent)
    assert decide(question, over, 0.0) == Skip("ended")


def test_the_time_limit_ends_the_call() -> None:
    assert answer(said(2, "", ended_by="time_limit")) == Say(2, 0, "Bye.", hangup="time_limit")


@pytest.mark.parametrize(
    ("detection", "answered_by", "line"),
    [
        ("leave_message", "machine_end_beep", "Call back."),
        ("leave_message", "machine_start", "Call back."),
        ("leave_message", "fax", ""),
        ("hang_up", "machine_start", ""),
    ],
)
def test_a_machine_gets_the_message_or_nothing(detection: str, answered_by: str, line: str) -> None:
    lines = AGENT.lines.model_copy(update={"voicemail": "Call back."})
    agent = AGENT.model_copy(update={"machine_detection": detection, "lines": lines})
    verdict = Status(call=CALL, sequence=0, answered_by=answered_by)
    through = said(2, "", ended_by="machine")
    log = [
        started("outbound", agent),
        Attached(call=CALL, worker="w", nonce="n"),
        said(1, ""),
        verdict,
        through,
    ]
    now = fold(Stored(number, 100.0 + number, event) for number, event in enumerate(log, 1))
    assert decide(through, now, 0.0) == Say(2, 0, line, hangup="machine")
    assert decide(said(1, ""), now, 0.0) == Skip("superseded")


def test_speech_without_words_goes_through_the_lines_and_stays_at_the_last() -> None:
    silences = [said(turn, "", ended_by="no_words") for turn in (2, 3, 4)]
    lines = [answer(job, *silences[:number]) for number, job in enumerate(silences)]
    assert lines == [Say(2, 0, "What?"), Say(3, 0, "Again?"), Say(4, 0, "Again?")]


def test_nobody_there_is_asked_twice_also_with_one_line() -> None:
    silences = [said(turn, "", ended_by="no_input") for turn in (2, 3, 4)]
    decisions = [answer(job, *silences[:number]) for number, job in enumerate(silences)]
    assert decisions == [
        Say(2, 0, "Still there?"), Say(3, 0, "Still there?"), Say(4, 0, "Bye.", hangup="no_input"),
    ]  # fmt: skip


def test_speech_without_words_shows_that_somebody_is_there() -> None:
    before = (
        said(2, "", ended_by="no_input"),
        said(3, "", ended_by="no_input"),
        said(4, "", ended_by="no_words"),
    )
    assert answer(said(5, "", ended_by="no_input"), *before) == Say(5, 0, "Still there?")


def test_an_agent_that_records_begins_with_the_notice() -> None:
    words = RECORDING.lines.recording_notice
    assert notice(started(agent=RECORDING)) == words
    hello = said(1, "hello")
    assert notice(hello, hello, direction="outbound") == words
    silent = said(1, "", ended_by="no_input")
    assert notice(silent, silent, direction="outbound") == words


def test_the_notice_is_repeated_until_it_was_heard_and_not_after() -> None:
    question = said(2)
    assert notice(question, sentence(1, notice="end"), question) == RECORDING.lines.recording_notice
    assert notice(question, *noticed(1), question) == ""
    # Whoever takes over the turn of the notice comes to the same sentences.
    assert notice(question, question, *noticed(2)) == RECORDING.lines.recording_notice


def test_machines_and_calls_that_end_hear_no_notice() -> None:
    machine = Status(call=CALL, sequence=9, answered_by="machine_end_beep")
    through = said(1, "", ended_by="machine")
    assert notice(through, machine, through, direction="outbound") == ""
    over = said(2, "", ended_by="time_limit")
    assert notice(over, over) == ""


def test_an_agent_that_does_not_record_says_so_to_nobody() -> None:
    assert decide(started(), state(), 0.0) == Say(1, 0, "Hello.", at_s=101.25, notice="")
