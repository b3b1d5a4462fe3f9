"""Hold, go on, interrupt: what the caller hears, and what we say that was heard."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxbus.common import events as ev
from voxbus.common.audio import fade_out

from .line import Line

Speech = Callable[..., bytes]
TEXT = "aaaa bbbb cccc dddd"  # four words of one length: a quarter of the duration each


@pytest.fixture
def speaking(line: Line, speech: Speech) -> Line:
    """Two sentences of 2 s, the reply ended; 700 ms of the first have been heard."""
    line.log(line.sentence(0, TEXT), line.sentence(1, TEXT), line.reply_ended(2))
    line.audio(speech(2000))
    line.audio(speech(2000, seed=9), sentence=1)
    line.run(700)
    return line


def test_speech_over_the_agent_clears_at_once_and_fades_out(speaking: Line, speech: Speech) -> None:
    speaking.log(speaking.speech(media_ms=640))
    assert speaking.clears == [speaking.now]
    (paused,) = speaking.of(ev.Paused)
    assert (paused.turn, paused.sentence, paused.played_ms, paused.media_ms) == (1, 0, 700, 640)
    assert paused.reaction_ms == 60  # the frame of 640 came in at 1640, now it is 1700
    speaking.run(600)
    heard = bytes(speaking.heard)
    assert heard[:5600] == speech(2000)[:5600]
    # One frame more: 5 ms that go down to silence, and silence.
    assert len(heard) == 5600 + 160
    assert heard[5640:] == b"\xff" * 120
    assert heard[5600:5640] == fade_out(speech(2000)[5600:5640])


def test_a_backchannel_lets_the_agent_go_on_from_the_word_that_was_cut(
    speaking: Line, speech: Speech
) -> None:
    speaking.log(speaking.speech())
    speaking.run(600)
    before = len(speaking.heard)
    speaking.log(speaking.utterance(1, text="mm-hm", backchannel=True))
    assert speaking.kinds() == ["paused", "continued"]
    assert speaking.of(ev.Continued)[0].media_ms == speaking.of(ev.Paused)[0].media_ms
    speaking.run(5000)
    again = bytes(speaking.heard[before:])
    # The second word began at 500 ms; its first 5 ms come up from silence.
    assert again[40:12_000] == speech(2000)[4040:]
    assert again[:40] != speech(2000)[4000:4040]
    assert again[12_000:] == speech(2000, seed=9)
    assert [(h.sentence, h.complete, h.known_by) for h in speaking.of(ev.Heard)] == [
        (0, True, "mark"),
        (1, True, "mark"),
    ]
    assert [h.underrun_ms for h in speaking.of(ev.Heard)] == [0, 0]


def test_without_any_word_the_agent_goes_on_by_itself(speaking: Line) -> None:
    speaking.log(speaking.speech())
    speaking.run(1680)
    assert speaking.kinds() == ["paused"]
    speaking.run(40)
    assert speaking.kinds() == ["paused", "continued"]


def test_speech_that_was_meant_interrupts_with_what_was_heard(speaking: Line) -> None:
    speaking.log(speaking.speech())
    speaking.run(300)
    speaking.log(speaking.barge_in())
    assert speaking.kinds() == ["paused", "heard", "interrupted"]
    (cut,) = speaking.of(ev.Heard)
    assert (cut.sentence, cut.complete, cut.played_ms, cut.text, cut.known_by) == (
        0, False, 700, "aaaa", "clock",
    )  # fmt: skip
    (interrupted,) = speaking.of(ev.Interrupted)
    assert (interrupted.sentence, interrupted.played_ms, interrupted.text) == (0, 700, "aaaa")
    heard = len(speaking.heard)
    speaking.run(3000)
    assert len(speaking.heard) == heard
    assert speaking.of(ev.Continued) == []


def test_audio_and_sentences_of_an_interrupted_turn_are_void(speaking: Line, speech: Speech) -> None:
    speaking.log(speaking.barge_in())
    speaking.run(60)
    heard = len(speaking.heard)
    speaking.log(speaking.sentence(2))
    speaking.audio(speech(500), sentence=2)
    speaking.audio(speech(500), sentence=1)
    speaking.run(1000)
    assert len(speaking.heard) == heard
    assert speaking.player.dropped == 2
    assert not speaking.player.busy


def test_a_mark_that_comes_back_on_clear_proves_nothing(line: Line, speech: Speech) -> None:
    line.log(line.sentence(0, TEXT), line.sentence(1, TEXT), line.reply_ended(2))
    line.audio(speech(400))
    line.audio(speech(400), sentence=1)
    line.run(200)  # both sentences and their marks are at Twilio
    line.log(line.speech(), line.barge_in())
    assert len(line.marks_back) == 2
    assert [(h.sentence, h.complete) for h in line.of(ev.Heard)] == [(0, False)]
    assert line.of(ev.Interrupted)[0].sentence == 0


def test_a_void_mark_stays_void_when_the_sentence_is_said_again(line: Line, speech: Speech) -> None:
    line.keep_marks = True
    line.log(line.sentence(0, TEXT), line.reply_ended())
    line.audio(speech(800))
    line.run(100)
    line.log(line.speech())
    line.log(line.utterance(1, backchannel=True))
    line.run(100)
    line.player.on_mark("1.0.0.1", line.now)  # the first one's, late
    assert line.player.effects == []
    line.player.on_mark("1.0.0.2", line.now)
    assert [effect.event.kind for effect in line.player.effects] == ["heard"]  # type: ignore[union-attr]


def test_sentences_before_the_cut_were_heard_by_the_clock(speaking: Line) -> None:
    speaking.run(2000)  # 700 ms into the second sentence; the first one's mark is back
    speaking.log(speaking.barge_in())
    assert [(h.sentence, h.complete, h.played_ms) for h in speaking.of(ev.Heard)] == [
        (0, True, 2000),
        (1, False, 700),
    ]
    assert speaking.of(ev.Interrupted)[0].sentence == 1


def test_a_mark_that_is_on_its_way_at_the_clear_is_replaced_by_the_clock(line: Line, speech: Speech) -> None:
    line.keep_marks = True
    line.log(line.sentence(0), line.sentence(1), line.reply_ended(2))
    line.audio(speech(200))
    line.audio(speech(800), sentence=1)
    line.run(400)
    line.log(line.barge_in())
    first, second = line.of(ev.Heard)
    assert (first.complete, first.known_by, second.complete) == (True, "clock", False)


def test_a_mark_that_never_comes_back_is_given_up(line: Line, speech: Speech) -> None:
    line.keep_marks = True
    line.log(line.sentence(), line.reply_ended())
    line.audio(speech(200))
    line.run(2180)
    assert line.events == []
    line.run(40)
    assert [(h.complete, h.known_by) for h in line.of(ev.Heard)] == [(True, "clock")]


def test_speech_after_the_last_word_holds_nothing(line: Line, speech: Speech) -> None:
    line.log(line.sentence(), line.reply_ended())
    line.audio(speech(200))
    line.run(400)
    line.log(line.speech(), line.barge_in())
    assert line.kinds() == ["heard"]
    assert line.clears == []


def test_between_two_sentences_the_next_one_is_held_back(line: Line, speech: Speech) -> None:
    line.log(line.sentence(0), line.sentence(1))
    line.audio(speech(200))
    line.run(400)
    line.log(line.speech())
    line.audio(speech(200, seed=9), sentence=1)
    line.run(500)
    assert line.heard == speech(200)
    line.log(line.utterance(1, backchannel=True))
    line.run(500)
    assert line.heard == speech(200) + speech(200, seed=9)


def test_a_key_cuts_the_agents_speech_at_once(speaking: Line) -> None:
    speaking.key()
    assert speaking.clears == [speaking.now]
    assert speaking.kinds() == ["heard", "interrupted"]
    speaking.key()
    assert speaking.kinds() == ["heard", "interrupted"]


def test_a_key_before_the_first_frame_ends_the_reply(line: Line, speech: Speech) -> None:
    line.log(line.utterance(2))
    line.key()
    assert [(i.turn, i.sentence, i.text) for i in line.of(ev.Interrupted)][-1] == (2, 0, "")
    line.log(line.sentence(0, turn=2))
    line.audio(speech(200), turn=2)
    line.run(500)
    assert line.heard == b""


def test_a_new_utterance_ends_the_reply_before_it(speaking: Line, speech: Speech) -> None:
    speaking.log(speaking.utterance(2))
    assert [i.turn for i in speaking.of(ev.Interrupted)] == [1]
    speaking.log(speaking.sentence(0, turn=2), speaking.reply_ended(1, turn=2))
    heard = len(speaking.heard)
    speaking.audio(speech(300, seed=5), turn=2)
    speaking.run(1000)
    assert speech(300, seed=5) in bytes(speaking.heard[heard:])


# Sentences that may not be interrupted


@pytest.fixture
def legal(line: Line, speech: Speech) -> Line:
    """A legal notice of 1 s, then a sentence of 2 s; 300 ms of the notice have been heard."""
    line.log(line.sentence(0, TEXT, interruptible=False), line.sentence(1, TEXT), line.reply_ended(2))
    line.audio(speech(1000))
    line.audio(speech(2000, seed=9), sentence=1)
    line.run(300)
    return line


def test_a_sentence_that_may_not_be_interrupted_is_not_held(legal: Line) -> None:
    legal.log(legal.speech())
    legal.run(500)
    assert legal.clears == []
    assert legal.events == []


def test_a_barge_in_waits_for_the_end_of_the_notice(legal: Line, speech: Speech) -> None:
    legal.log(legal.speech(), legal.barge_in())
    legal.run(2000)
    assert next((h.sentence, h.complete) for h in legal.of(ev.Heard)) == (0, True)
    assert legal.of(ev.Interrupted)[0].sentence == 1
    assert speech(1000) in bytes(legal.heard)
    assert len(legal.heard) < 1100 * 8


def test_the_answer_waits_for_the_end_of_the_notice(legal: Line, speech: Speech) -> None:
    legal.log(legal.utterance(2), legal.sentence(0, turn=2), legal.reply_ended(1, turn=2))
    legal.audio(speech(300, seed=5), turn=2)
    legal.run(3000)
    heard = bytes(legal.heard)
    assert heard.startswith(speech(1000))
    assert heard.endswith(speech(300, seed=5))
    assert len(heard) < 1400 * 8


def test_a_long_notice_is_played_to_its_end(line: Line, speech: Speech) -> None:
    line.log(line.sentence(0, TEXT, interruptible=False), line.reply_ended())
    line.audio(speech(5000))
    line.run(300)
    line.log(line.barge_in())
    line.run(6000)
    assert line.heard == speech(5000)


def test_a_notice_that_was_heard_meanwhile_is_not_said_again(speech: Speech) -> None:
    """Who answered what the caller said over it could not know that it would be heard."""
    line = Line(inbound=True)
    notice, greeting, answer = speech(1000), speech(900, seed=3), speech(700, seed=5)
    told: dict[str, object] = {"interruptible": False, "notice": "end"}
    line.log(line.sentence(0, TEXT, 1, **told), line.sentence(1, TEXT), line.reply_ended(2))
    line.audio(notice)
    line.audio(greeting, sentence=1)
    line.run(300)
    line.log(line.utterance(2), line.sentence(0, TEXT, 2, **told), line.sentence(1, TEXT, 2))
    line.log(line.reply_ended(2, turn=2))
    line.audio(notice, turn=2)
    line.audio(answer, turn=2, sentence=1)
    line.run(3000)
    assert bytes(line.heard).startswith(notice)
    assert bytes(line.heard).endswith(answer)
    assert len(line.heard) <= (1000 + 700 + 60) * 8  # and how the greeting fades
    verdicts = [(heard.turn, heard.sentence, heard.complete) for heard in line.of(ev.Heard)]
    assert [verdict for verdict in verdicts if verdict[0] == 2] == [(2, 0, False), (2, 1, True)]


def test_a_notice_of_which_part_was_lost_is_said_again(speech: Speech) -> None:
    line = Line(inbound=True)
    told: dict[str, object] = {"interruptible": False}
    line.log(
        line.sentence(0, TEXT, 1, notice="part", **told), line.sentence(1, TEXT, 1, notice="end", **told)
    )
    line.log(line.reply_ended(2))
    line.audio(speech(400), last=False)  # the rest never comes
    line.audio(speech(500, seed=2), sentence=1)
    line.run(3000)
    line.log(line.utterance(2), line.sentence(0, TEXT, 2, notice="end", **told), line.reply_ended(turn=2))
    line.audio(speech(800, seed=7), turn=2)
    line.run(2000)
    assert speech(800, seed=7) in bytes(line.heard)


# Properties


@settings(max_examples=60, deadline=None)
@given(
    # Not shorter: going on after a hold fades in, which would reach into the last 5 ms that are looked for below.
    lengths=st.lists(st.integers(150, 1500), min_size=1, max_size=4),
    holds=st.lists(st.integers(0, 1500), max_size=3),
    cut_after=st.integers(0, 5000),
)
def test_every_sentence_is_heard_or_not_and_nothing_is_claimed_that_did_not_sound(
    lengths: list[int], holds: list[int], cut_after: int, speech: Speech
) -> None:
    line = Line(inbound=True)
    for i, _ in enumerate(lengths):
        line.log(line.sentence(i, TEXT))
    line.log(line.reply_ended(len(lengths)))
    for i, ms in enumerate(lengths):
        line.audio(speech(ms, seed=1 + i), sentence=i)
    for i, ms in enumerate(holds):
        line.run(ms)
        line.log(line.speech(media_ms=i))
        line.run(200)
        line.log(line.utterance(1, backchannel=True, end_media_ms=i))
    line.run(cut_after)
    line.log(line.barge_in(media_ms=99))
    line.run(100)

    complete = [h.sentence for h in line.of(ev.Heard) if h.complete]
    cut = [h for h in line.of(ev.Heard) if not h.complete]
    interrupted = line.of(ev.Interrupted)
    # The heard ones are the first ones, then comes at most one that was cut, the others have no verdict.
    assert complete == list(range(len(complete)))
    assert [h.sentence for h in cut] in ([], [len(complete)])
    if len(complete) == len(lengths):
        assert interrupted == []
    else:
        assert [i.sentence for i in interrupted] == [len(complete)]
        assert interrupted[0].played_ms == (cut[0].played_ms if cut else 0)
        assert TEXT.startswith(interrupted[0].text)
    # What was claimed did sound, at least once.
    heard = bytes(line.heard)
    for i in complete:
        assert speech(lengths[i], seed=1 + i)[-40:] in heard
    for h in cut:
        claimed = speech(lengths[h.sentence], seed=1 + h.sentence)[: h.played_ms * 8]
        assert claimed[-40:-8] in heard
    assert line.most_ahead_ms <= 1500
    assert len(line.of(ev.Paused)) == len(line.of(ev.Continued))
