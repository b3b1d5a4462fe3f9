"""From samples to what the caller hears, on made-up voices (real ones: test_espeak.py)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxbus.common.audio import HZ, SILENCE, Pcm, active_level_dbfs, ms_of, mulaw_decode, peak_dbfs
from voxbus.tts.core_shape import Shaper, pause_after_ms

FROM_HZ = 22050


def voice(ms: float, level: float = 3000.0, seed: int = 1) -> Pcm:
    """Noise in the rhythm of syllables, with the crest of speech."""
    size = int(FROM_HZ * ms / 1000)
    noise = np.random.default_rng(seed).standard_normal(size)
    syllables = 0.55 - 0.45 * np.cos(2 * np.pi * 4 * np.arange(size) / FROM_HZ)
    return np.clip(noise * syllables * level, -32768, 32767).astype(np.int16)


def silence(ms: float) -> Pcm:
    return np.zeros(int(FROM_HZ * ms / 1000), np.int16)


def shape(*samples: Pcm, pause_ms: float = 0.0) -> bytes:
    shaper = Shaper(FROM_HZ)
    return b"".join(shaper.feed(part) for part in samples) + shaper.finish(pause_ms)


def first_sound_ms(audio: bytes) -> float:
    return ms_of(int(np.flatnonzero(np.abs(mulaw_decode(audio).astype(int)) > 300)[0]))


def last_sound_ms(audio: bytes) -> float:
    """Before the end."""
    return ms_of(len(audio) - 1 - int(np.flatnonzero(np.abs(mulaw_decode(audio).astype(int)) > 300)[-1]))


@pytest.mark.parametrize("level", [600.0, 3000.0, 20000.0])
@pytest.mark.parametrize("ms", [400, 1400, 1600, 6000])
def test_whatever_the_voice_gives_the_caller_hears_the_same_loudness(level: float, ms: int) -> None:
    heard = mulaw_decode(shape(voice(ms, level), pause_ms=200))
    assert active_level_dbfs(heard, HZ) == pytest.approx(-20, abs=1)
    assert peak_dbfs(heard) <= -3


@pytest.mark.parametrize("before_ms", [0, 5, 400, 2000])
@pytest.mark.parametrize("after_ms", [0, 30, 700])
def test_silence_before_and_after_is_cut(before_ms: int, after_ms: int) -> None:
    audio = shape(silence(before_ms), voice(1000), silence(after_ms))
    assert first_sound_ms(audio) <= 20
    assert last_sound_ms(audio) <= 40
    assert ms_of(len(audio)) == pytest.approx(1020, abs=20)


def test_the_pause_at_the_end_is_as_long_as_was_asked() -> None:
    assert last_sound_ms(shape(voice(1000), silence(100), pause_ms=180)) == pytest.approx(180, abs=15)
    assert last_sound_ms(shape(voice(1000), pause_ms=180)) == pytest.approx(180, abs=15)


def test_a_pause_inside_the_sentence_stays() -> None:
    with_pause = shape(voice(1000), silence(500), voice(1000))
    without = shape(voice(2000))
    assert ms_of(len(with_pause) - len(without)) == pytest.approx(500, abs=10)


def test_a_long_pause_inside_goes_out_before_the_voice_goes_on() -> None:
    shaper = Shaper(FROM_HZ)
    shaper.feed(voice(2000))
    pause = shaper.feed(silence(2000))
    assert ms_of(pause.count(SILENCE)) > 800


def test_no_sound_is_no_audio() -> None:
    assert shape(silence(2000), pause_ms=180) == b""
    assert shape(pause_ms=180) == b""


def test_audio_comes_while_the_sentence_is_still_being_said() -> None:
    shaper = Shaper(FROM_HZ)
    assert shaper.feed(voice(1000)) == b""
    assert ms_of(len(shaper.feed(voice(1000)))) > 1500
    assert ms_of(len(shaper.feed(voice(1000)))) == pytest.approx(1000, abs=50)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 60000), max_size=20), st.integers(0, 3))
def test_how_the_samples_came_in_makes_no_difference(cuts: list[int], seed: int) -> None:
    samples = np.concatenate((silence(50), voice(1300, seed=seed), silence(200), voice(900, seed=seed + 1)))
    parts = np.split(samples, sorted({cut for cut in cuts if cut < len(samples)}))
    assert shape(*parts, pause_ms=120) == shape(samples, pause_ms=120)


@pytest.mark.parametrize(
    ("text", "ms"),
    [("Yes.", 180), ("Well, then", 180), ("If you like,", 120), ('He said: "no,"', 120), ("", 180)],
)
def test_a_piece_of_a_sentence_is_followed_by_a_shorter_pause(text: str, ms: float) -> None:
    assert pause_after_ms(text) == ms
