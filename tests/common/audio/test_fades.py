from __future__ import annotations

import numpy as np
import pytest

from voxbus.common.audio import fade_in, fade_out, mulaw_decode, mulaw_encode

LOUD = mulaw_encode(np.full(200, 8031, dtype=np.int16))


def test_a_fade_in_rises_from_silence_in_5_ms_and_touches_nothing_else() -> None:
    faded = fade_in(LOUD)
    linear = mulaw_decode(faded)
    assert abs(int(linear[0])) < 50
    assert (np.diff(linear[:40].astype(int)) >= 0).all()
    assert faded[40:] == LOUD[40:]
    assert len(faded) == len(LOUD)


def test_a_fade_out_is_its_mirror() -> None:
    assert fade_out(LOUD) == fade_in(LOUD)[::-1]


@pytest.mark.parametrize("size", [0, 1, 39])
def test_what_is_shorter_than_a_fade_is_faded_whole(size: int) -> None:
    assert len(fade_in(LOUD[:size])) == size
    assert len(fade_out(LOUD[:size])) == size
    if size:
        assert abs(int(mulaw_decode(fade_out(LOUD[:size]))[-1])) < 8031 * 0.6
