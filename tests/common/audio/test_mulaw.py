"""The tables against the definition of ITU-T G.711, written here in another way: by decision values."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise

import numpy as np
import pytest

from voxbus.common.audio import SILENCE, mulaw_decode, mulaw_decode_float, mulaw_encode

EVERY_SAMPLE = np.arange(-32768, 32768, dtype=np.int32).astype(np.int16)


def _decision_values() -> list[int]:
    """G.711 table 2a, 14 bit: 8 segments of 16 intervals, 2, 4, ... 256 wide (one half of the first is negative)."""
    values = [1]
    for segment in range(8):
        values += [values[-1] + (2 << segment) * i for i in range(1, 16 if segment == 0 else 17)]
    return values


DECISION = _decision_values()
#: An output value is the mean of the decision values around it; the first interval lies around 0.
OUTPUT = [0, *((low + high) // 2 for low, high in pairwise(DECISION))]


def _code(sample: int) -> int:
    """The character signal of one 16-bit sample; in it all bits of the value's number are inverted."""
    magnitude = (sample if sample >= 0 else ~sample) >> 2
    number = min(bisect_right(DECISION, magnitude), 127)  # beyond the last decision value it overloads
    return (0xFF if sample >= 0 else 0x7F) - number


def test_the_reference_is_that_of_the_standard() -> None:
    assert len(OUTPUT) == 128
    assert OUTPUT[-1] == 8031  # table 2a: the highest output value
    assert DECISION[:3] == [1, 3, 5]
    assert DECISION[-1] == 8159  # the virtual decision value
    assert {31, 95, 223, 479, 991, 2015, 4063} <= set(DECISION)  # where segments meet


def test_encodes_every_sample_as_the_standard_says() -> None:
    codes = mulaw_encode(EVERY_SAMPLE)
    expected = bytes(_code(int(sample)) for sample in EVERY_SAMPLE)
    assert codes == expected


def test_decodes_every_code_as_the_standard_says() -> None:
    decoded = mulaw_decode(bytes(range(256)))
    for code in range(256):
        number = (0xFF if code & 0x80 else 0x7F) - code
        sign = 1 if code & 0x80 else -1
        assert decoded[code] == sign * OUTPUT[number] * 4


def test_every_code_but_negative_zero_survives_a_round_trip() -> None:
    codes = bytes(range(256))
    again = mulaw_encode(mulaw_decode(codes))
    assert [code for code in codes if again[code] != code] == [0x7F]


def test_silence_is_linear_zero() -> None:
    assert mulaw_decode(bytes([SILENCE])).tolist() == [0]
    assert mulaw_encode(np.zeros(3, dtype=np.int16)) == b"\xff\xff\xff"


def test_float_is_the_same_at_full_scale_one() -> None:
    codes = bytes(range(256))
    assert mulaw_decode_float(codes).dtype == np.float32
    np.testing.assert_allclose(mulaw_decode_float(codes) * 32768, mulaw_decode(codes))


def test_takes_views_that_are_not_contiguous() -> None:
    assert mulaw_encode(EVERY_SAMPLE[::7]) == mulaw_encode(EVERY_SAMPLE)[::7]


def test_refuses_what_is_not_int16() -> None:
    with pytest.raises(TypeError, match="int16"):
        mulaw_encode(np.zeros(4, dtype=np.float32))
