"""An uninterrupted call: what goes in comes out, in order, never too early."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from voxbus.common import events as ev
from voxbus.common.codec import AudioWanted

from .line import TOKEN, Line

Speech = Callable[..., bytes]
PAD = b"\xff"


def padded(audio: bytes) -> bytes:
    return audio + PAD * (-len(audio) % 160)


def test_a_sentence_is_heard_whole_and_its_mark_proves_it(line: Line, speech: Speech) -> None:
    line.log(line.sentence(), line.reply_ended())
    line.audio(speech(1234))
    line.run(3000)
    assert line.heard == padded(speech(1234))
    (heard,) = line.of(ev.Heard)
    assert (heard.complete, heard.known_by, heard.played_ms, heard.text) == (
        True, "mark", 1234, "One two three four.",
    )  # fmt: skip
    assert heard.synthesis_ms == 12.0
    assert not line.player.busy


def test_the_verdict_comes_when_the_last_frame_was_played(line: Line, speech: Speech) -> None:
    line.log(line.sentence(), line.reply_ended())
    line.audio(speech(400))
    line.run(380)
    assert line.events == []
    line.run(40)
    assert line.kinds() == ["heard"]


def test_audio_that_comes_before_its_sentence_waits_for_it(line: Line, speech: Speech) -> None:
    line.audio(speech(200))
    line.run(100)
    assert line.heard == b""
    line.log(line.sentence(), line.reply_ended())
    line.run(400)
    assert line.heard == speech(200)


def test_the_first_frame_leaves_at_once(line: Line, speech: Speech) -> None:
    line.log(line.sentence())
    line.audio(speech(200), last=False)
    assert line.heard_at == [line.now]


def test_a_part_of_a_frame_waits_for_its_rest(line: Line, speech: Speech) -> None:
    line.log(line.sentence(), line.reply_ended())
    whole = speech(100)
    line.audio(whole[:170], last=False)
    line.run(20)
    assert line.heard == whole[:160]
    line.audio(whole[170:], offset=170)
    line.run(200)
    assert line.heard == whole


def test_sentences_without_sound_are_passed(line: Line, speech: Speech) -> None:
    line.log(line.sentence(0, "..."), line.sentence(1), line.reply_ended(2))
    line.audio(b"", sentence=0)
    line.audio(speech(100), sentence=1)
    line.run(300)
    assert line.heard == speech(100)
    assert [event.complete for event in line.of(ev.Heard)] == [True, True]
    assert not line.player.busy


def test_response_time_runs_from_the_callers_last_speech_to_the_first_frame(
    line: Line, speech: Speech
) -> None:
    line.log(line.utterance(2, end_media_ms=0))  # 0 came in at 1000, which is now
    line.run(500)
    line.log(line.sentence(0, turn=2), line.sentence(1, turn=2), line.reply_ended(2, turn=2))
    line.audio(speech(100), turn=2)
    line.audio(speech(100), turn=2, sentence=1)
    line.run(500)
    assert [event.response_ms for event in line.of(ev.Heard)] == [500, 0]


def test_what_is_audible_follows_the_clock(line: Line, speech: Speech) -> None:
    line.log(line.sentence(0), line.sentence(1), line.reply_ended(2))
    line.audio(speech(100))
    line.audio(speech(100), sentence=1)
    assert line.player.audible(line.now) == (1, 0)
    assert line.player.audible(line.now + 99) == (1, 0)
    assert line.player.audible(line.now + 100) == (1, 1)
    line.run(200)
    assert line.player.audible(line.now) == (0, 0)


def test_a_sentence_is_audible_until_its_mark_is_back(line: Line, speech: Speech) -> None:
    line.keep_marks = (
        True  # the connection stalls, and what the caller's side heard meanwhile comes before them
    )
    line.log(line.sentence(0), line.sentence(1), line.reply_ended(2))
    line.audio(speech(100))
    line.audio(speech(100), sentence=1)
    line.run(900)
    assert line.player.audible(line.now) == (1, 0)
    line.player.on_mark("1.0.0.1", line.now)
    assert line.player.audible(line.now) == (1, 1)
    line.player.on_mark("1.0.1.2", line.now)
    assert line.player.audible(line.now) == (0, 0)


def test_marks_that_never_come_make_nothing_audible_any_more(line: Line, speech: Speech) -> None:
    line.keep_marks = True
    for turn in (1, 2):
        line.log(line.sentence(turn=turn), line.reply_ended(turn=turn))
        line.audio(speech(100), turn=turn)
        line.run(2200)
        assert line.player.audible(line.now) == (0, 0)
        line.log(line.utterance(turn + 1))
    line.log(line.sentence(turn=3), line.reply_ended(turn=3))
    line.audio(speech(100), turn=3)
    line.run(140)
    assert line.player.audible(line.now) == (0, 0)
    line.player.on_mark("3.0.0.3", line.now)  # one came after all
    line.log(line.utterance(4), line.sentence(turn=4), line.reply_ended(turn=4))
    line.audio(speech(100), turn=4)
    line.run(140)
    assert line.player.audible(line.now) == (4, 0)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_bytes_out_are_bytes_in_and_never_more_than_a_second_and_a_half_ahead(
    data: st.DataObject, speech: Speech
) -> None:
    lengths = data.draw(st.lists(st.integers(1, 30_000), min_size=1, max_size=4))
    sentences = [speech(4000, seed=1 + i)[:size] for i, size in enumerate(lengths)]
    pieces = [
        (i, at, audio[at : at + 3200], at + 3200 >= len(audio))
        for i, audio in enumerate(sentences)
        for at in range(0, len(audio), 3200)
    ]
    line = Line(inbound=True)
    for i in range(len(sentences)):
        line.log(line.sentence(i))
    line.log(line.reply_ended(len(sentences)))
    # All within 150 ms of each other, in any order: what the network may do without any of it being given up.
    for index, offset, audio, last in data.draw(st.permutations(pieces)):
        line.audio(audio, sentence=index, offset=offset, last=last)
        if data.draw(st.booleans()) and line.now < 1140:
            line.run(20)
    line.run(sum(lengths) / 8 + 1000)
    assert line.heard == b"".join(padded(audio) for audio in sentences)
    assert line.most_ahead_ms <= 1500
    assert [event.sentence for event in line.of(ev.Heard)] == list(range(len(sentences)))
    assert all(event.complete for event in line.of(ev.Heard))
    # Once begun, it never stops in the middle of what was there.
    assert line.clears == []


def test_long_audio_is_sent_with_a_second_and_a_half_in_hand(line: Line, speech: Speech) -> None:
    line.log(line.sentence(), line.reply_ended())
    line.audio(speech(10_000))
    line.run(5000)
    assert 1480 <= line.most_ahead_ms <= 1500
    assert len(line.heard) == 5000 * 8 + 160


def test_what_is_wanted_of_a_sentence_until_it_is_over(speech: Speech) -> None:
    def wanted(turn: int = 1, sentence: int = 0, token: int = TOKEN) -> int | None:
        return line.player.wanted_from(AudioWanted(turn, 0, sentence, token))

    line = Line(inbound=True)
    assert wanted() == 0, "the log may be behind the question"
    audio = speech(400)
    line.audio(audio[:1600], last=False)
    assert wanted() == 1600
    line.log(line.sentence())
    assert wanted() == 1600
    line.audio(audio[1600:], offset=1600)
    assert wanted() is None
    line.log(line.reply_ended())
    line.run(600)
    assert wanted(token=TOKEN + 1) is None, "it was heard"
    line.log(line.utterance(2))
    assert wanted(token=TOKEN + 1) is None, "its turn is over"
    assert wanted(turn=2) == 0
