from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus.common.codec import AudioOut
from voxbus.gateway.core_playout.assembly import MAX_SENTENCE_BYTES, SentenceAudio

Speech = Callable[..., bytes]


def piece(audio: bytes, offset: int, *, last: bool = False, token: int = 5) -> AudioOut:
    return AudioOut(1, 0, 0, token, offset, last, 0.0, audio)


def taken(audio: SentenceAudio) -> bytes:
    return audio.take(audio.available)


@given(data=st.data(), size=st.integers(1, 4000))
def test_any_order_and_any_repetition_give_the_sentence(
    data: st.DataObject, size: int, speech: Speech
) -> None:
    whole = speech(500)[:size]
    cuts = sorted({0, size, *data.draw(st.lists(st.integers(0, size), max_size=8))})
    pieces = [piece(whole[a:b], a, last=b == size) for a, b in itertools.pairwise(cuts)]
    order = data.draw(st.permutations(pieces + data.draw(st.lists(st.sampled_from(pieces), max_size=4))))
    audio = SentenceAudio()
    for now, one in enumerate(order):
        audio.add(one, float(now))
    assert audio.complete
    assert taken(audio) == whole
    assert audio.done


@given(played=st.integers(0, 800), first=st.integers(0, 800), second=st.integers(0, 800))
def test_a_newer_worker_goes_on_where_the_older_one_was_played(
    played: int, first: int, second: int, speech: Speech
) -> None:
    old, new = speech(100), bytes([251]) * 800
    audio = SentenceAudio()
    audio.add(piece(old[:first], 0, token=5), 0)
    out = audio.take(min(played, first))
    audio.add(piece(new[:second], 0, token=6), 1)
    out += taken(audio)
    audio.add(piece(new[second:], second, last=True, token=6), 2)
    out += taken(audio)
    # No byte twice and none left out: the old one's up to some place, then the new one's.
    assert len(out) == 800
    change = out.find(251) if 251 in out else 800
    assert out == old[:change] + new[change:]
    assert change <= first
    assert audio.done


def test_what_is_wanted_of_a_worker_is_what_is_not_here_yet(speech: Speech) -> None:
    whole = speech(100)
    audio = SentenceAudio()
    assert audio.wanted_from(5) == 0
    audio.add(piece(whole[:160], 0), 0)
    audio.add(piece(whole[320:], 320, last=True), 0)
    assert audio.wanted_from(5) == 160
    assert audio.wanted_from(4) is None, "another one says it"
    assert audio.wanted_from(6) == 0, "nothing of it has come"
    audio.add(piece(whole[160:320], 160), 0)
    assert audio.wanted_from(5) is None


def test_the_older_worker_serves_until_the_newer_one_is_as_far() -> None:
    audio = SentenceAudio()
    audio.add(piece(b"a" * 320, 0, token=5), 0)
    assert audio.take(160) == b"a" * 160
    audio.add(piece(b"b" * 80, 0, token=6), 1)
    assert audio.available == 160  # still the older one's
    audio.add(piece(b"b" * 400, 80, token=6), 2)
    assert audio.take(1000) == b"b" * 320


def test_a_worker_that_was_replaced_is_not_heard() -> None:
    audio = SentenceAudio()
    audio.add(piece(b"b" * 10, 0, token=6), 0)
    assert not audio.add(piece(b"a" * 10, 10, token=5), 1)
    assert taken(audio) == b"b" * 10


def test_a_hole_is_noticed_and_can_be_jumped() -> None:
    audio = SentenceAudio()
    audio.add(piece(b"a" * 10, 0), 1)
    assert audio.hole_ms is None
    audio.add(piece(b"c" * 10, 20, last=True), 2)
    assert audio.hole_ms == pytest.approx(2)
    assert (audio.available, audio.complete) == (10, False)
    audio.skip_hole(3)
    assert taken(audio) == b"a" * 10 + b"c" * 10
    assert audio.done
    assert audio.hole_ms is None


def test_a_hole_before_an_empty_last_piece_ends_the_sentence_when_jumped() -> None:
    audio = SentenceAudio()
    audio.add(piece(b"a" * 10, 0), 1)
    audio.add(piece(b"", 20, last=True), 2)
    assert not audio.complete
    audio.skip_hole(3)
    assert audio.complete
    assert taken(audio) == b"a" * 10


def test_after_a_jumped_hole_a_newer_worker_goes_on_at_the_right_place() -> None:
    audio = SentenceAudio()
    audio.add(piece(b"a" * 10, 0, token=5), 1)
    audio.add(piece(b"c" * 10, 20, token=5), 1)
    audio.skip_hole(2)
    assert audio.take(15) == b"a" * 10 + b"c" * 5  # up to offset 25 of the sentence
    audio.add(piece(bytes(range(40)), 0, last=True, token=6), 3)
    assert taken(audio) == bytes(range(25, 40))


def test_a_sentence_has_a_greatest_length() -> None:
    audio = SentenceAudio()
    assert not audio.add(piece(b"a" * 10, MAX_SENTENCE_BYTES), 0)
    assert audio.available == 0


def test_nothing_is_taken_in_after_the_sentence_was_closed() -> None:
    audio = SentenceAudio()
    audio.add(piece(b"a", 0), 0)
    audio.close()
    assert not audio.add(piece(b"b", 1), 1)
    assert audio.complete


def test_synthesis_time_is_that_of_the_first_piece() -> None:
    audio = SentenceAudio()
    audio.add(piece(b"a", 0)._replace(synthesis_ms=31.0), 0)
    audio.add(piece(b"b", 1)._replace(synthesis_ms=70.0), 1)
    assert audio.synthesis_ms == pytest.approx(31.0)
