from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus.common.audio import FRAME_BYTES, Framer, bytes_of, ms_of


@given(st.lists(st.binary(max_size=700)))
def test_no_byte_is_lost_or_moved(pieces: list[bytes]) -> None:
    framer = Framer()
    frames = [frame for piece in pieces for frame in framer.feed(piece)]
    waiting = framer.pending_bytes
    last = framer.flush()
    data = b"".join(pieces)
    assert all(len(frame) == FRAME_BYTES for frame in frames)
    assert b"".join(frames) + last[:waiting] == data
    assert last[waiting:] == b"\xff" * (FRAME_BYTES - waiting if waiting else 0)


def test_what_is_left_over_leads_the_next_frame() -> None:
    framer = Framer(4)
    assert framer.feed(b"abcdef") == [b"abcd"]
    assert framer.feed(b"gh") == [b"efgh"]


def test_a_cleared_rest_never_comes_back() -> None:
    framer = Framer(4)
    framer.feed(b"old")
    framer.clear()
    assert framer.feed(b"new!") == [b"new!"]
    assert framer.flush() == b""


def test_durations_and_sizes() -> None:
    assert ms_of(FRAME_BYTES) == 20
    assert bytes_of(20) == 160
    assert bytes_of(0.99) == 7  # a part of a sample is none


def test_an_empty_frame_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one byte"):
        Framer(0)
