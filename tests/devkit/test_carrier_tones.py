from __future__ import annotations

import numpy as np
import pytest

from voxbus.common.audio import HZ, peak_dbfs
from voxbus.devkit.carrier.core_tones import DIGITS, tone


@pytest.mark.parametrize(
    ("digit", "expected"), [("1", (697, 1209)), ("5", (770, 1336)), ("#", (941, 1477)), ("D", (941, 1633))]
)
def test_a_key_sounds_its_two_frequencies(digit: str, expected: tuple[int, int]) -> None:
    samples = tone(digit, 1000)
    spectrum = np.abs(np.fft.rfft(samples))
    loudest = sorted(int(hz) for hz in np.argsort(spectrum)[-2:] * HZ / len(samples))
    assert tuple(loudest) == expected
    assert peak_dbfs(samples) < -10


def test_there_are_sixteen_keys() -> None:
    assert len(DIGITS) == 16
    assert len({tone(digit).tobytes() for digit in DIGITS}) == 16
    with pytest.raises(KeyError):
        tone("12")
