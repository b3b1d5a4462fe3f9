"""Pieces of a sentence's audio."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voxbus.common.audio import FRAME_BYTES
from voxbus.tts.core_pieces import FIRST_BYTES, MAX_BYTES, Piece, PieceCutter

chunks = st.lists(st.binary(max_size=9000), max_size=12)


def cut(audio: list[bytes]) -> list[Piece]:
    cutter = PieceCutter()
    return [piece for chunk in audio for piece in cutter.feed(chunk)] + [cutter.finish()]


@given(chunks)
def test_the_pieces_are_the_audio_without_gaps(audio: list[bytes]) -> None:
    pieces = cut(audio)
    assert b"".join(piece.audio for piece in pieces) == b"".join(audio)
    at = 0
    for piece in pieces:
        assert piece.offset == at
        at += len(piece.audio)


@given(chunks)
def test_exactly_the_last_piece_is_marked_last(audio: list[bytes]) -> None:
    *others, last = cut(audio)
    assert last.last
    assert not any(piece.last for piece in others)


@given(chunks)
def test_only_a_sentence_without_audio_has_an_empty_piece(audio: list[bytes]) -> None:
    pieces = cut(audio)
    assert all(piece.audio for piece in pieces) or (len(pieces) == 1 and not b"".join(audio))


@given(chunks)
def test_no_piece_is_too_long_and_all_but_the_last_are_whole_frames(audio: list[bytes]) -> None:
    pieces = cut(audio)
    assert all(len(piece.audio) <= MAX_BYTES for piece in pieces)
    assert all(len(piece.audio) % FRAME_BYTES == 0 for piece in pieces[:-1])


@given(chunks)
def test_a_piece_is_no_longer_than_what_left_before_it(audio: list[bytes]) -> None:
    for piece in cut(audio):
        assert len(piece.audio) <= max(FIRST_BYTES, piece.offset)


@given(chunks)
def test_how_the_audio_came_in_makes_no_difference(audio: list[bytes]) -> None:
    assert cut(audio) == cut([b"".join(audio)])


def test_the_first_piece_leaves_as_soon_as_it_is_certain_not_to_be_the_last() -> None:
    cutter = PieceCutter()
    assert cutter.feed(bytes(FIRST_BYTES)) == []
    assert cutter.feed(b"\xff") == [Piece(0, False, bytes(FIRST_BYTES))]
