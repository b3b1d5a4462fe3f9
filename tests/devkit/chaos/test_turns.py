"""What is read out of a call."""

from __future__ import annotations

import dataclasses

import pytest

from voxbus.devkit.carrier import Moment
from voxbus.devkit.chaos.core_turns import Turn, sentence_lengths, turns_of
from voxbus.devkit.chaos.facts import CallFacts, Death

from .call_maker import BEGAN_S, Log, asked, call


def turns(of: CallFacts, **lengths: float) -> list[Turn]:
    return turns_of(of, lengths or sentence_lengths([of]))


def test_the_silence_of_a_turn_is_its_longest_one() -> None:
    log = Log().says(300, 2, "1").answers(400, 2, "From nine.", "To five.", heard_ms=500)
    (turn,) = turns(call("____#####_______#####______________", log, [asked(200)]))
    assert turn.silence_ms == 700
    assert turn.answered
    assert (turn.start_s, turn.end_s) == (1000.2, 1002.1)


def test_the_silence_after_a_whole_answer_is_the_callers() -> None:
    log = Log().says(300, 2, "1").answers(400, 2, "From nine.", heard_ms=500)
    (turn,) = turns(call("____#####" + "_" * 60, log, [asked(200)]))
    assert turn.silence_ms == 200


def test_the_silence_where_an_answer_breaks_off_is_ours() -> None:
    log = Log().says(300, 2, "1").answers(400, 2, "From nine.", heard_ms=None)
    (turn,) = turns(call("____#####" + "_" * 30, log, [asked(200)]))
    assert turn.silence_ms == 3000
    assert turn.unsaid == 2


def test_a_question_without_an_answer_is_silent_until_the_next_one() -> None:
    log = Log().says(4300, 2, "1").answers(4400, 2, "From nine.", heard_ms=500)
    first, second = turns(call("_" * 44 + "#####__", log, [asked(200), asked(4200)]))
    assert (first.answered, first.silence_ms, first.lost) == (False, 4000, 1)
    assert (second.answered, second.silence_ms, second.lost) == (True, 200, 0)


@pytest.mark.parametrize(
    ("understood", "lost", "twice"),
    [
        (["what are your hours"], 0, 0),
        (["what are", "your hours"], 0, 0),
        (["what are"], 2, 0),
        (["what are your hours", "your hours"], 0, 2),
        ([], 4, 0),
    ],
)
def test_what_the_caller_said_is_compared_with_what_was_understood(
    understood: list[str], lost: int, twice: int
) -> None:
    log = Log()
    for number, text in enumerate(understood):
        log.says(1500 + number, 2 + number, text)
    (turn,) = turns(call("_" * 40, log, [asked(200, 1200)]))
    assert (turn.lost, turn.twice) == (lost, twice)


def test_nobody_waits_for_an_answer_to_silence() -> None:
    log = Log().says(1500, 2, "what are your hours").answers(1600, 2, "From nine.", heard_ms=500)
    before = Log()
    before.add(5000, log.stored[-1].event)
    (turn,) = turns(call("_" * 16 + "#####", log, [asked(200, 1200)]))
    assert (turn.silence_ms, turn.lost) == (400, 0)


@pytest.mark.parametrize(("start_ms", "offline"), [(500, False), (950, True), (1100, True), (1300, False)])
def test_what_is_said_between_two_streams_never_reaches_us(start_ms: float, offline: bool) -> None:
    facts = dataclasses.replace(
        call("_" * 40, Log(), [asked(start_ms)]),
        line=(
            Moment(0, "stream_started"),
            Moment(1000, "stream_lost"),
            Moment(1200, "stream_started"),
            Moment(4000, "stream_closed"),
        ),
    )
    (turn,) = turns(facts)
    assert turn.offline is offline


@pytest.mark.parametrize(("service", "offline"), [("gateway", True), ("stt", False)])
def test_what_is_said_to_a_dead_gateway_never_reaches_us_either(service: str, offline: bool) -> None:
    moments = (Moment(0, "stream_started"), Moment(1300, "stream_lost"), Moment(1500, "stream_started"))
    facts = dataclasses.replace(call("_" * 40, Log(), [asked(1050)]), line=moments)
    death = Death(service, f"{service}-0", 7, BEGAN_S + 1)
    (turn,) = turns_of(facts, {}, [death])
    assert turn.offline is offline


def test_a_sentence_that_begins_again_was_said_twice() -> None:
    log = Log().says(300, 2, "1").answers(400, 2, "From nine to five.", heard_ms=1000)
    whole = call("____##########___", log, [asked(200)])
    again = call("____#####__##########___", log, [asked(200)])
    lengths = sentence_lengths([whole])
    assert lengths == {"From nine to five.": 1000}
    assert [turn.repeated for turn in turns_of(whole, lengths)] == [0]
    assert [turn.repeated for turn in turns_of(again, lengths)] == [2]
