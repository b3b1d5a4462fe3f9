"""What is said of a job, by the log of its call."""

from __future__ import annotations

import pytest

from voxbus.common.agents import Agent, Lines, Voice
from voxbus.common.events import (
    Attached,
    Ended,
    Event,
    Heard,
    Interrupted,
    Resumed,
    Sentence,
    Started,
    Status,
    Stored,
    Utterance,
    UtteranceWithdrawn,
)
from voxbus.common.fold import CallState, fold
from voxbus.tts.core_jobs import Skip, Speak, needs_log, plan_resumed, plan_sentence

CALL = "CA" + "0" * 32
AGENT = Agent(
    name="test_agent", prompt="You are a test.", lines=Lines(greeting="Hello."), machine_detection="hang_up"
)
HOLDER = 2


def started() -> Started:
    return Started(call=CALL, stream_sid="MZ1", session="s", direction="inbound", agent=AGENT)


def utterance(turn: int, attempt: int = 0, *, final: bool = True) -> Utterance:
    return Utterance(
        call=CALL,
        holder=HOLDER,
        turn=turn,
        attempt=attempt,
        text="yes",
        start_media_ms=0,
        end_media_ms=500,
        ended_by="silence",
        final=final,
    )


def sentence(turn: int, index: int = 0, attempt: int = 0) -> Sentence:
    return Sentence(call=CALL, turn=turn, attempt=attempt, index=index, text=f"{turn}/{index}", voice=Voice())


def heard(turn: int, index: int, *, complete: bool = True) -> Heard:
    return Heard(
        call=CALL,
        stream_sid="MZ1",
        turn=turn,
        sentence=index,
        complete=complete,
        played_ms=100,
        text="" if complete else "a word",
        known_by="mark",
    )


def interrupted(turn: int) -> Interrupted:
    return Interrupted(call=CALL, stream_sid="MZ1", turn=turn, sentence=0, played_ms=0, text="")


def withdrawn(turn: int) -> UtteranceWithdrawn:
    return UtteranceWithdrawn(call=CALL, holder=HOLDER, turn=turn, attempt=0)


def resumed(stream_sid: str = "MZ2") -> Resumed:
    return Resumed(call=CALL, stream_sid=stream_sid)


def state(*events: Event) -> CallState:
    log = [started(), Attached(call=CALL, worker="w", nonce="n"), *events]
    return fold(Stored(number, 0.0, event) for number, event in enumerate(log, 1))


SENTENCE = sentence(2)
WANTED = [utterance(2), SENTENCE]
ENDED = Ended(call=CALL, reason="caller_hung_up")
MACHINE = Status(call=CALL, sequence=0, answered_by="machine_start")


def test_a_sentence_that_is_wanted_is_said() -> None:
    assert plan_sentence(SENTENCE, state(*WANTED), 0.1) == Speak((SENTENCE,))


def test_the_greeting_is_said() -> None:
    assert plan_sentence(sentence(1), state(sentence(1)), 0.1) == Speak((sentence(1),))


def test_a_sentence_that_was_cut_by_a_lost_stream_is_said_again() -> None:
    assert plan_sentence(SENTENCE, state(*WANTED, heard(2, 0, complete=False)), 0.1) == Speak((SENTENCE,))


@pytest.mark.parametrize(
    ("after", "why"),
    [
        (heard(2, 0), "heard"),
        (withdrawn(2), "withdrawn"),
        (interrupted(2), "interrupted"),
        (utterance(3), "superseded"),
        (utterance(2, 1), "superseded"),
        (MACHINE, "superseded"),
        (ENDED, "ended"),
    ],
)
def test_a_sentence_that_nobody_wants_any_more(after: Event, why: str) -> None:
    assert plan_sentence(SENTENCE, state(*WANTED, after), 0.1) == Skip(why)  # type: ignore[arg-type]  # from the table


def test_a_guess_at_the_next_turn_supersedes_nothing_yet() -> None:
    assert plan_sentence(SENTENCE, state(*WANTED, utterance(3, final=False)), 0.1) == Speak((SENTENCE,))


def test_a_sentence_that_the_log_says_is_void_is_not_said() -> None:
    assert plan_sentence(SENTENCE, state(utterance(2), interrupted(2), SENTENCE), 0.1) == Skip("interrupted")


def test_old_jobs_are_not_said() -> None:
    assert plan_sentence(SENTENCE, state(*WANTED), 14.9) == Speak((SENTENCE,))
    assert plan_sentence(SENTENCE, state(*WANTED), 15.1) == Skip("old")
    assert plan_resumed(resumed(), state(*WANTED, resumed()), 15.1) == Skip("old")


def test_after_a_resumption_the_rest_of_the_turn_is_said_in_order() -> None:
    log = [utterance(2), sentence(2, 0), sentence(2, 2), sentence(2, 1), sentence(2, 3), heard(2, 0)]
    cut = heard(2, 1, complete=False)
    expected = Speak((sentence(2, 1), sentence(2, 2), sentence(2, 3)))
    assert plan_resumed(resumed(), state(*log, cut, resumed()), 0.1) == expected


def test_turns_before_the_current_one_stay_said() -> None:
    log = [sentence(1, 0), utterance(2), sentence(2, 0)]
    assert plan_resumed(resumed(), state(*log, resumed()), 0.1) == Speak((sentence(2, 0),))


def test_a_greeting_that_nobody_heard_is_said_after_a_resumption() -> None:
    assert plan_resumed(resumed(), state(sentence(1), resumed()), 0.1) == Speak((sentence(1),))


def test_a_guessed_reply_is_kept_over_a_resumption() -> None:
    log = [utterance(2), sentence(2, 0), heard(2, 0), utterance(3, final=False), sentence(3, 0)]
    assert plan_resumed(resumed(), state(*log, resumed()), 0.1) == Speak((sentence(3, 0),))


@pytest.mark.parametrize(
    ("log", "why"),
    [
        ([*WANTED, heard(2, 0), resumed()], "nothing_left"),
        ([*WANTED, interrupted(2), resumed()], "nothing_left"),
        ([*WANTED, withdrawn(2), resumed()], "nothing_left"),
        ([*WANTED, MACHINE, resumed()], "nothing_left"),
        ([resumed()], "nothing_left"),
        ([*WANTED, resumed(), ENDED], "ended"),
        ([*WANTED, resumed(), resumed("MZ3")], "superseded"),
    ],
)
def test_a_resumption_with_nothing_to_say(log: list[Event], why: str) -> None:
    assert plan_resumed(resumed(), state(*log), 0.1) == Skip(why)  # type: ignore[arg-type]  # from the table


def test_a_fresh_job_needs_no_log() -> None:
    assert not needs_log(0.0, redelivered=False)
    assert not needs_log(-0.5, redelivered=False)  # clocks differ
    assert needs_log(0.0, redelivered=True)
    assert needs_log(1.5, redelivered=False)
