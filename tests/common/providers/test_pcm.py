"""Audio over the network, in whatever pieces."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus.common.errors import ProviderError
from voxbus.common.providers.pcm import PcmReader


def wav(audio: bytes, extra: bytes = b"") -> bytes:
    format_ = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 24000, 48000, 2, 16)
    return b"RIFF\xff\xff\xff\xffWAVE" + format_ + extra + b"data\xff\xff\xff\xff" + audio


AUDIO = bytes(range(1, 101))


@given(
    st.booleans(),
    st.sampled_from([b"", b"LIST\x05\x00\x00\x00abcde\x00"]),
    st.lists(st.integers(1, 60), max_size=40),
    st.sampled_from([1, 2]),
)
def test_headers_and_samples_may_be_cut_anywhere(
    header: bool, extra: bytes, sizes: list[int], sample_bytes: int
) -> None:
    data, reader, out = wav(AUDIO, extra) if header else AUDIO, PcmReader(sample_bytes), b""
    for size in (*sizes, len(data)):
        piece, data = data[:size], data[size:]
        fed = reader.feed(piece)
        assert len(fed) % sample_bytes == 0
        out += fed
    assert out + reader.flush() == AUDIO


def test_half_a_sample_at_the_end_is_dropped() -> None:
    reader = PcmReader(2)
    assert reader.feed(b"abc") + reader.flush() == b"ab"


def test_audio_that_only_begins_like_a_header_is_audio() -> None:
    reader = PcmReader(1)
    assert reader.feed(b"RI") == b""
    assert reader.feed(b"XX") == b"RIXX"
    assert PcmReader(1).feed(b"R") == b""
    short = PcmReader(1)
    short.feed(b"R")
    assert short.flush() == b"R"


def test_a_header_alone_is_no_audio() -> None:
    reader = PcmReader(2)
    assert reader.feed(wav(b"")) + reader.flush() == b""
    with pytest.raises(ProviderError):
        PcmReader(2).feed(wav(b"", b"JUNK" + struct.pack("<I", 1 << 20)) + bytes(64))
