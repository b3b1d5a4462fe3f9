"""Codes with a terminator, and a terminator without a code. What the gateway cuts is in tests/gateway/test_keys.py."""

from __future__ import annotations

import pytest

from voxbus.common import events as ev
from voxbus.common.agents import Dtmf

from .line import SID, Line


def press(line: Line, keys: str, *, gap_ms: int = 224) -> Line:
    for key in keys:
        at_ms = line.now_ms
        line.log(ev.Dtmf(call=SID, stream_sid="M", sequence=at_ms, digit=key, media_ms=at_ms))
        line.take(line.taker.digit(key, at_ms))
        line.silence(gap_ms)
    return line


@pytest.mark.parametrize(
    ("length", "keys", "gap_ms", "codes"),
    [
        (1, "1#", 224, ["1"]),
        (1, "1##", 224, ["1"]),
        (1, "12#", 224, ["1", "2"]),
        (4, "1234#", 224, ["1234"]),
        (4, "12#", 224, ["12"]),
        (0, "12#", 224, ["12"]),
        (0, "12#3", 1024, ["12", "3"]),
        (0, "12#", 2528, ["1", "2"]),  # both were taken already, when their end came
        (1, "1#", 4992, ["1"]),
        (0, "12", 224, ["12"]),
    ],
)
def test_a_code_and_its_terminator_are_one_utterance(
    length: int, keys: str, gap_ms: int, codes: list[str]
) -> None:
    line = press(Line(dtmf=Dtmf(length=length)).greeted(), keys, gap_ms=gap_ms).silence(2100)
    assert [(u.text, u.ended_by) for u in line.utterances] == [(code, "dtmf") for code in codes]


@pytest.mark.parametrize("length", [0, 1])
@pytest.mark.parametrize("keys", ["#", "##"])
def test_a_terminator_alone_is_an_utterance_without_words(length: int, keys: str) -> None:
    line = Line(dtmf=Dtmf(length=length)).greeted()
    at_ms = line.now_ms
    press(line, keys).silence(3200)
    assert [(u.text, u.ended_by, u.end_media_ms) for u in line.utterances] == [("", "no_words", at_ms)]


def test_long_after_a_code_a_terminator_is_one_alone() -> None:
    line = press(Line(dtmf=Dtmf(length=1)).greeted(), "1")
    line.agent_says(2, "Fine.").silence(5216).agent_heard(2, 1)
    assert [(u.turn, u.ended_by) for u in press(line, "#").utterances] == [(2, "dtmf"), (3, "no_words")]


def test_an_agent_that_waits_longer_for_keys_waits_as_long_for_their_end() -> None:
    line = press(Line(dtmf=Dtmf(timeout_ms=9000)).greeted(), "12", gap_ms=8000)
    assert [u.text for u in press(line, "#").utterances] == ["12"]


def test_a_terminator_ends_what_was_said_and_taken_back() -> None:
    line = Line().greeted().speech(640, "book a table").silence(640).speech(96).silence(32)
    assert line.all(ev.UtteranceWithdrawn)
    press(line, "#")
    assert [(u.turn, u.attempt, u.text) for u in line.utterances] == [
        (2, 0, "book a table"),
        (2, 1, "book a table"),
    ]


def test_a_terminator_in_the_middle_of_speech_leaves_the_answer_to_that() -> None:
    line = Line().greeted().speech(960, "yes please")
    press(line, "#", gap_ms=32).silence(960)
    assert [(u.text, u.ended_by) for u in line.utterances] == [("yes please", "silence")]


def test_a_terminator_after_the_goodbye_asks_for_nothing() -> None:
    line = Line().greeted().speech(640, "no thanks").silence(640).agent_says(2, "Goodbye.")
    line.log(ev.HangupRequested(call=SID, turn=2, reason="agent"))
    assert len(press(line, "#").utterances) == 1


def test_who_takes_over_knows_which_code_a_terminator_ends() -> None:
    line = press(Line(dtmf=Dtmf(length=1)).greeted(), "1").taken_over()
    assert press(line, "#").silence(640).outputs == []


def test_a_terminator_pressed_before_a_takeover_is_answered_once() -> None:
    line = Line(dtmf=Dtmf(length=1)).greeted()
    at_ms = line.now_ms
    line.log(ev.Dtmf(call=SID, stream_sid="M", sequence=1, digit="#", media_ms=at_ms))
    line.taken_over().silence(640)
    assert [u.ended_by for u in line.utterances] == ["no_words"]
    line.taken_over().replay(0).silence(line.now_ms)
    assert line.utterances == []


def test_without_a_terminator_every_key_is_a_part_of_the_code() -> None:
    line = press(Line(dtmf=Dtmf(terminator="", length=2)).greeted(), "1#")
    assert [u.text for u in line.utterances] == ["1#"]


def test_a_terminator_while_the_answer_is_on_its_way_changes_nothing() -> None:
    line = Line().greeted().speech(640, "book a table").silence(640)
    press(line, "#").silence(3200)
    assert [u.text for u in line.utterances] == ["book a table"]
    line.agent_says(2, "For", "how many?").silence(320)
    press(line, "#", gap_ms=5216)
    assert len(line.utterances) == 1, "it ends the same input, as far as anybody can tell"
    line.log(ev.Interrupted(call=SID, stream_sid="M", turn=2, sentence=0, played_ms=5000, text="For"))
    assert press(line, "#").utterances[-1].ended_by == "no_words"


def test_a_terminator_that_cut_the_answer_before_it_was_heard_here_is_answered() -> None:
    line = Line().greeted().speech(640, "book a table").silence(640)
    line.log(ev.Interrupted(call=SID, stream_sid="M", turn=2, sentence=0, played_ms=0, text=""))
    assert [u.ended_by for u in press(line, "#").utterances] == ["silence", "no_words"]


@pytest.mark.parametrize(("direction", "answered"), [("inbound", False), ("outbound", True)])
def test_a_terminator_before_anything_was_said(direction: ev.Direction, answered: bool) -> None:
    """Who rings up is greeted in any case; who is rung up has said something with it."""
    assert bool(press(Line(direction).silence(96), "#").utterances) is answered
