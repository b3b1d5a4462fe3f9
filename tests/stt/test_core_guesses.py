"""Guesses of a provider that the turn may be over, on virtual time: the reply is prepared, and heard only if it is."""

from __future__ import annotations

import pytest

from voxbus.common import events as ev
from voxbus.stt.core_outputs import CancelRecognition

from .line import SID, Line


def guessing(line: Line, text: str) -> Line:
    line.take(line.taker.guess(text, 0.6))
    return line


@pytest.fixture
def line() -> Line:
    """Somebody has said "book a table" and is silent for a moment; the provider thinks that this was all."""
    return guessing(Line(provider_ends_turns=True).speech(640, "Book a table.").silence(192), "book a table")


def test_a_guess_is_tentative(line: Line) -> None:
    (guess,) = line.utterances
    assert (guess.turn, guess.attempt, guess.text, guess.final) == (2, 0, "book a table", False)
    assert (guess.end_media_ms, guess.endpoint_ms) == (640, 192)
    assert line.state.turn is None  # whatever was said before still counts
    assert line.taker.idle_since_ms is None


def test_a_guess_that_was_right_is_confirmed(line: Line) -> None:
    line.silence(128).take(line.taker.end_of_turn(0.9))
    assert len(line.utterances) == 1
    (confirmed,) = line.all(ev.UtteranceConfirmed)
    assert confirmed == ev.UtteranceConfirmed(
        call=SID,
        holder=line.state.holder,
        turn=2,
        attempt=0,
        ended_by="provider",
        endpoint_ms=320,
        recognition_ms=20,
    )
    turn = line.state.turn
    assert turn is not None
    assert turn.confirmed
    assert turn.confirmation == confirmed


def test_silence_confirms_a_guess_too(line: Line) -> None:
    line.silence(1500)
    (confirmed,) = line.all(ev.UtteranceConfirmed)
    assert isinstance(confirmed, ev.UtteranceConfirmed)
    assert (confirmed.ended_by, confirmed.endpoint_ms) == ("silence", 1504)


def test_the_same_guess_again_says_nothing_new(line: Line) -> None:
    guessing(line, "Book a table")
    assert len(line.utterances) == 1


def test_a_guess_that_was_wrong_is_withdrawn_and_its_words_are_not_said_twice(line: Line) -> None:
    line.take(line.taker.resumed())
    assert [e.key() for e in line.all(ev.UtteranceWithdrawn)] == ["2.0"]
    line.words = ["book a table for two"]
    line.speech(320).silence(1600)
    assert [(u.turn, u.attempt, u.text, u.final) for u in line.utterances] == [
        (2, 0, "book a table", False),
        (2, 1, "book a table for two", True),
    ]
    assert line.utterances[1].start_media_ms == 0
    assert line.state.next_turn() == 3


def test_other_words_than_were_guessed_are_another_attempt(line: Line) -> None:
    line.words = ["cook a table"]
    line.take(line.taker.end_of_turn(0.9))
    assert [e.key() for e in line.all(ev.UtteranceWithdrawn)] == ["2.0"]
    assert [(u.attempt, u.text, u.final) for u in line.utterances[1:]] == [(1, "cook a table", True)]


def test_a_second_guess_takes_the_place_of_the_first(line: Line) -> None:
    line.take(line.taker.resumed())
    line.speech(320).silence(192)
    guessing(line, "book a table for two")
    line.words = ["book a table for two"]
    line.take(line.taker.end_of_turn(0.9))
    assert [(u.attempt, u.final) for u in line.utterances] == [(0, False), (1, False)]
    assert [e.key() for e in line.all(ev.UtteranceConfirmed)] == ["2.1"]


def test_who_goes_on_after_a_confirmed_guess_takes_it_back(line: Line) -> None:
    line.take(line.taker.end_of_turn(0.9))
    line.silence(320).speech(640, "for two").silence(1600)
    assert [e.key() for e in line.all(ev.UtteranceWithdrawn)] == ["2.0"]
    assert [(u.attempt, u.text) for u in line.utterances[1:]] == [(1, "book a table for two")]


def test_a_guess_after_words_that_were_taken_back_has_them_too() -> None:
    line = Line(provider_ends_turns=True).speech(640, "i want").silence(1600)
    line.speech(640, "to cancel").silence(192)
    guessing(line, "to cancel")
    assert [(u.attempt, u.text, u.final) for u in line.utterances] == [
        (0, "i want", True),
        (1, "i want to cancel", False),
    ]
    line.take(line.taker.end_of_turn(0.9))
    assert [e.key() for e in line.all(ev.UtteranceConfirmed)] == ["2.1"]


def test_the_next_holder_hears_again_what_was_guessed_about() -> None:
    line = Line(provider_ends_turns=True).speech(640, "i want").silence(1600)
    said_ms = line.now_ms
    line.speech(640, "to cancel").silence(192)
    guessing(line, "to cancel")
    line.taken_over().replay(said_ms)
    line.words = ["to cancel"]
    line.speech(640).silence(1600)
    assert [(u.turn, u.attempt, u.text, u.final) for u in line.utterances] == [
        (2, 2, "i want to cancel", True)
    ]


@pytest.mark.parametrize("text", ["", "to cancel"])
def test_the_next_holder_does_not_hear_again_what_was_taken_back(text: str) -> None:
    line = Line(provider_ends_turns=True).speech(640, "i want").silence(1600).speech(640).silence(192)
    if text:
        guessing(line, text)
    line.taken_over().replay(352)  # the gateway keeps a little of what came before
    line.words = ["to cancel"]
    line.speech(288).silence(1600).speech(640).silence(1700)
    assert [(u.turn, u.text) for u in line.utterances] == [(2, "i want to cancel")]


def test_a_recognizer_that_fails_at_the_end_has_told_the_words_before(line: Line) -> None:
    line.words = [""]
    line.silence(1600)
    assert [e.key() for e in line.all(ev.UtteranceConfirmed)] == ["2.0"]
    assert len(line.utterances) == 1
    assert line.taker.idle_since_ms is not None


def test_keys_do_not_take_the_place_of_a_guess_that_is_on_its_way_to_the_log() -> None:
    line = Line(provider_ends_turns=True).speech(640, "book a table").silence(192)
    out = [*line.taker.guess("book a table", 0.6), *line.taker.digit("1", 300), *line.taker.digit("#", 320)]
    said = [(o.turn, o.attempt, o.text) for o in out if isinstance(o, ev.Utterance)]
    assert said == [(2, 0, "book a table"), (3, 0, "1")]


def test_speech_over_the_agent_is_guessed_about_once_it_was_meant() -> None:
    line = Line(provider_ends_turns=True).greeted()
    line.speech(640, "hello").silence(1600)
    line.agent_says(2, "One.", "Two.").speech(320)
    guessing(line, "stop")
    assert len(line.utterances) == 1
    line.speech(480)  # 0.8 s in all
    guessing(line, "stop it now")
    assert [u.text for u in line.utterances[1:]] == ["stop it now"]


def test_nobody_guesses_about_a_click() -> None:
    line = guessing(Line(provider_ends_turns=True).speech(64), "a")
    assert line.utterances == []


def test_a_guess_about_the_tone_of_a_key_is_withdrawn(line: Line) -> None:
    line.take(line.taker.digit("5", 320))
    assert line.outputs[-2] == CancelRecognition()
    assert [e.key() for e in line.all(ev.UtteranceWithdrawn)] == ["2.0"]
    line.silence(2100)
    assert [(u.turn, u.text, u.final) for u in line.utterances[1:]] == [(3, "5", True)]


def test_keys_while_somebody_speaks_are_a_turn_before_theirs() -> None:
    line = Line(provider_ends_turns=True)
    line.take(line.taker.digit("5", 0))
    line.silence(640).speech(640, "that was it").silence(192)
    guessing(line, "that was it")
    line.hear(0.5, ms=640)  # now the time for more keys is over
    assert [(u.turn, u.text, u.final) for u in line.utterances] == [(2, "that was it", False), (3, "5", True)]
    line.silence(1600)
    assert [(u.turn, u.text, u.final) for u in line.utterances[2:]] == [(4, "that was it", True)]


def test_frames_that_were_dropped_before_a_guess_are_counted_once() -> None:
    line = Line(provider_ends_turns=True)
    line.taker.utterances.dropped_frames = 3
    guessing(line.speech(640).silence(192), "one")
    line.take(line.taker.resumed())
    line.taker.utterances.dropped_frames += 1
    line.words = ["one two"]
    line.speech(320).silence(1600)
    assert [u.dropped_frames for u in line.utterances] == [3, 4]
    line.agent_says(2, "Fine.").silence(320).agent_heard(2, 1).speech(640, "three").silence(1600)
    assert line.utterances[-1].dropped_frames == 0
