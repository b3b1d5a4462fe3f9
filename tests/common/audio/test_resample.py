from __future__ import annotations

import numpy as np
import pytest

from voxbus.common.audio import Pcm, Resampler


def tone(hz: int, seconds: float, frequency: float = 440.0) -> Pcm:
    samples: Pcm = np.rint(10000 * np.sin(2 * np.pi * frequency * np.arange(int(hz * seconds)) / hz)).astype(
        np.int16
    )
    return samples


def through(resampler: Resampler, samples: Pcm, piece: int) -> Pcm:
    parts = [resampler.feed(samples[at : at + piece]) for at in range(0, len(samples), piece)]
    return np.concatenate((*parts, resampler.flush()))


@pytest.mark.parametrize("from_hz", [16000, 22050, 24000, 48000])
def test_a_tone_stays_the_tone_without_delay(from_hz: int) -> None:
    result = through(Resampler(from_hz, 8000), tone(from_hz, 1.0), from_hz // 50)
    expected = tone(8000, 1.0)
    assert len(result) == 8000
    inner = slice(200, -200)  # the filter rings at hard edges
    error = result[inner].astype(float) - expected[inner]
    assert np.sqrt(np.mean(error**2)) < 20  # -54 dB below the tone


def test_a_sentence_leaves_nothing_to_the_next() -> None:
    resampler = Resampler(22050, 8000)
    first = through(resampler, tone(22050, 0.5), 441)
    second = through(resampler, tone(22050, 0.5), 441)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("samples", [1, 7, 441, 22049])
def test_no_sentence_is_too_short(samples: int) -> None:
    result = through(Resampler(22050, 8000), np.full(samples, 1000, dtype=np.int16), 100)
    assert len(result) == pytest.approx(samples * 8000 / 22050, abs=0.51)


def test_what_the_line_cannot_carry_is_gone() -> None:
    result = through(Resampler(24000, 8000), tone(24000, 1.0, frequency=6000), 480)
    assert np.max(np.abs(result[200:-200])) < 20


def test_the_same_rate_passes_through() -> None:
    resampler = Resampler(8000, 8000)
    samples = tone(8000, 0.1)
    assert resampler.feed(samples) is samples
    assert len(resampler.flush()) == 0


def test_a_rate_of_zero_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="positive"):
        Resampler(0, 8000)
