from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus.common.audio import (
    PEAK_DBFS,
    TARGET_DBFS,
    Limiter,
    Pcm,
    active_level_dbfs,
    gain_to_target_db,
    mulaw_decode,
    mulaw_encode,
    normalize,
    peak_dbfs,
    rms_dbfs,
)

HZ = 8000


def noise(seconds: float, level_dbfs: float, seed: int = 1) -> Pcm:
    raw = np.random.default_rng(seed).normal(size=int(HZ * seconds))
    samples: Pcm = np.rint(raw * 32768 * 10 ** (level_dbfs / 20)).clip(-32768, 32767).astype(np.int16)
    return samples


def silence(seconds: float) -> Pcm:
    return np.zeros(int(HZ * seconds), dtype=np.int16)


def babble(seconds: float = 6.0, level_dbfs: float = -26.0) -> Pcm:
    """Something with the rhythm of speech: noise under syllables of 200 ms, a pause of 600 ms every 2 s."""
    t = np.arange(int(HZ * seconds)) / HZ
    envelope = np.abs(np.sin(np.pi * t / 0.2)) * (t % 2.0 < 1.4)
    samples: Pcm = (noise(seconds, level_dbfs) * envelope).astype(np.int16)
    return samples


def test_a_full_scale_square_is_zero() -> None:
    square = np.full(HZ, -32768, dtype=np.int16)
    assert rms_dbfs(square) == pytest.approx(0)
    assert peak_dbfs(square) == pytest.approx(0)


def test_a_full_scale_sine_is_minus_three() -> None:
    sine = np.rint(32767 * np.sin(2 * np.pi * 1000 * np.arange(HZ) / HZ)).astype(np.int16)
    assert rms_dbfs(sine) == pytest.approx(-3.01, abs=0.01)
    assert active_level_dbfs(sine, HZ) == pytest.approx(-3.01, abs=0.1)


@pytest.mark.parametrize("samples", [silence(0), silence(1), np.zeros(3, dtype=np.int16)])
def test_silence_has_no_level(samples: Pcm) -> None:
    assert active_level_dbfs(samples, HZ) == -math.inf
    assert peak_dbfs(samples) == -math.inf
    assert gain_to_target_db(samples, HZ) == 0.0
    assert not normalize(samples, HZ).any()


def test_pauses_do_not_count() -> None:
    speech = noise(2, -24)
    around = np.concatenate((silence(3), speech, silence(5)))
    assert rms_dbfs(around) == pytest.approx(-31, abs=0.3)  # what a plain mean says: 7 dB too low
    # P.56 counts 200 ms after the speech as active: 10 % more time, 0.4 dB.
    assert active_level_dbfs(around, HZ) == pytest.approx(-24.4, abs=0.3)


def test_line_noise_does_not_count() -> None:
    speech = np.concatenate((silence(2), noise(2, -24), silence(2)))
    noisy = speech + noise(6, -60, seed=2)
    assert active_level_dbfs(noisy, HZ) == pytest.approx(active_level_dbfs(speech, HZ), abs=0.3)


def p56_by_the_sample(samples: Pcm) -> float:
    """ITU-T P.56 method B as it stands there: envelope, activity counts and hangover advance by the sample."""
    keep = math.exp(-1 / (HZ * 0.03))
    thresholds = [2.0**-power for power in range(15, 0, -1)]
    hangover = math.ceil(HZ * 0.2)
    counts = [0] * len(thresholds)
    since = [hangover] * len(thresholds)
    energy = first = second = 0.0
    for sample in (samples / 32768).tolist():
        energy += sample * sample
        first = keep * first + (1 - keep) * abs(sample)
        second = keep * second + (1 - keep) * first
        for j, threshold in enumerate(thresholds):
            if second >= threshold:
                counts[j] += 1
                since[j] = 0
            elif since[j] < hangover:
                counts[j] += 1
                since[j] += 1
    levels = [10 * math.log10(energy / count) for count in counts if count]
    margins = [level - 20 * math.log10(c) for level, c in zip(levels, thresholds, strict=False)]
    j = next(j for j, margin in enumerate(margins) if margin <= 15.9)
    part = (margins[j - 1] - 15.9) / (margins[j - 1] - margins[j])
    return levels[j - 1] + part * (levels[j] - levels[j - 1])


@pytest.mark.parametrize("level_dbfs", [-40, -26, -14])
def test_steps_of_5_ms_are_fine_enough(level_dbfs: float) -> None:
    speech = babble(4.0, level_dbfs)
    assert active_level_dbfs(speech, HZ) == pytest.approx(p56_by_the_sample(speech), abs=0.1)


@pytest.mark.parametrize("gain_db", [-18, -6, 6])
def test_the_level_follows_the_gain(gain_db: float) -> None:
    speech = babble(level_dbfs=-30)
    louder = np.rint(speech * 10 ** (gain_db / 20)).astype(np.int16)
    moved = active_level_dbfs(louder, HZ) - active_level_dbfs(speech, HZ)
    assert moved == pytest.approx(gain_db, abs=0.1)


@pytest.mark.parametrize("level_dbfs", [-45, -26, -12])
def test_normalized_speech_is_at_the_target_after_the_telephone_line(level_dbfs: float) -> None:
    heard = mulaw_decode(mulaw_encode(normalize(babble(level_dbfs=level_dbfs), HZ)))
    assert active_level_dbfs(heard, HZ) == pytest.approx(TARGET_DBFS, abs=1)
    assert peak_dbfs(heard) <= PEAK_DBFS


@given(st.lists(st.integers(-32768, 32767), max_size=300), st.floats(-20, 40), st.integers(1, 100))
def test_no_peak_passes_the_limiter(values: list[int], gain_db: float, piece: int) -> None:
    samples = np.array(values, dtype=np.int16)
    limiter = Limiter(HZ, gain_db)
    parts = [limiter.feed(samples[at : at + piece]) for at in range(0, len(samples), piece)]
    limited = np.concatenate((*parts, limiter.flush()))
    assert len(limited) == len(samples)
    assert peak_dbfs(limited) <= PEAK_DBFS


def test_the_size_of_the_pieces_changes_nothing() -> None:
    samples = babble(1.0, level_dbfs=-8)
    whole = Limiter(HZ, 6)
    pieces = Limiter(HZ, 6)
    at_once = np.concatenate((whole.feed(samples), whole.flush()))
    parts = [pieces.feed(samples[at : at + 33]) for at in range(0, len(samples), 33)]
    np.testing.assert_array_equal(at_once, np.concatenate((*parts, pieces.flush())))


def test_what_is_below_the_ceiling_is_only_amplified() -> None:
    samples = babble(1.0, level_dbfs=-40)
    limiter = Limiter(HZ, 6.0)
    result = np.concatenate((limiter.feed(samples), limiter.flush()))
    np.testing.assert_array_equal(result, np.rint(samples * 10 ** (6 / 20)).astype(np.int16))


def test_a_sentence_leaves_nothing_to_the_next() -> None:
    limiter = Limiter(HZ, 12)
    loud = noise(0.1, -3)
    first = np.concatenate((limiter.feed(loud), limiter.flush()))
    second = np.concatenate((limiter.feed(loud), limiter.flush()))
    np.testing.assert_array_equal(first, second)
