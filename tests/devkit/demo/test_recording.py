"""Edges of sound, silences, waveforms."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from voxbus.devkit.demo.recording import Span, audible, envelope, gaps, read

HZ = 8000


def tone(ms: int, dbfs: float = -20.0) -> np.ndarray:
    t = np.arange(ms * HZ // 1000) / HZ
    return (32768 * 10 ** (dbfs / 20) * 2**0.5 * np.sin(2 * np.pi * 400 * t)).astype(np.int16)


def silence(ms: int) -> np.ndarray:
    return np.zeros(ms * HZ // 1000, np.int16)


def test_sound_has_edges_of_five_milliseconds() -> None:
    samples = np.concatenate((silence(100), tone(215), silence(300), tone(50)))
    assert audible(samples, HZ) == (Span(100, 315), Span(615, 665))


def test_a_short_gap_is_part_of_the_speech() -> None:
    samples = np.concatenate((tone(100), silence(150), tone(100)))
    assert audible(samples, HZ, join_ms=150) == (Span(0, 350),)
    assert audible(samples, HZ, join_ms=145) == (Span(0, 100), Span(250, 350))


@pytest.mark.parametrize(
    "samples", [silence(0), silence(3), silence(500), tone(500, -60), silence(500) + 2000]
)
def test_what_cannot_be_heard_is_silence(samples: np.ndarray) -> None:
    assert audible(samples.astype(np.int16), HZ) == ()


def test_gaps_lie_between_the_spans_of_a_stretch() -> None:
    spans = (Span(0, 100), Span(300, 400), Span(450, 600), Span(900, 1000))
    assert gaps(spans, 0, 600) == (Span(100, 300), Span(400, 450))
    assert gaps(spans, 0, 50) == ()


def test_the_envelope_is_the_peak_of_each_bin() -> None:
    samples = np.concatenate((silence(10), np.full(80, -32768, np.int16), np.full(40, 16384, np.int16)))
    assert list(envelope(samples, HZ, 10)) == [0, 255, 128]


def test_a_wav_file_of_two_sides_is_read(tmp_path: Path) -> None:
    path = tmp_path / "recording.wav"
    both = np.column_stack((tone(100), silence(100)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(HZ)
        file.writeframes(both.astype("<i2").tobytes())
    recording = read(path)
    assert recording.duration_ms == 100
    assert np.array_equal(recording.caller, both[:, 0])
    assert not recording.agent.any()


def test_a_wav_file_of_one_side_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mono.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(HZ)
    with pytest.raises(ValueError, match="16-bit stereo"):
        read(path)
