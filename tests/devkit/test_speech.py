from __future__ import annotations

import os
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from voxbus.common.audio import HZ, Pcm, active_level_dbfs
from voxbus.devkit import speech


def test_a_synthetic_caller_is_as_loud_as_a_caller() -> None:
    said = speech.speak("Yes, confirm it please.")
    assert 800 < said.duration_ms < 4000
    assert active_level_dbfs(said.audio, HZ) == pytest.approx(speech.CALLER_DBFS, abs=0.5)


def test_the_end_of_the_audio_is_the_end_of_speech() -> None:
    audio = speech.speak("stop").audio.astype(np.float64)
    for edge in (audio[: HZ // 100], audio[-HZ // 100 :]):
        assert np.sqrt(np.mean(edge**2)) > 32768 * 10 ** ((speech.CALLER_DBFS - 36) / 20)


def test_voices_differ_and_the_same_voice_repeats_itself() -> None:
    one, other = speech.speak("hello"), speech.speak("hello", voice="en-us+m2")
    assert len(one.audio) != len(other.audio) or not np.array_equal(one.audio, other.audio)
    assert speech.speak("hello") is one


def test_a_voice_that_does_not_exist() -> None:
    with pytest.raises(speech.SpeechError, match="no voice"):
        speech.speak("hello", voice="xx-nobody")


def test_silence_is_trimmed_and_nothing_else(make_tone: Callable[..., Pcm]) -> None:
    quiet = np.zeros(HZ // 2, dtype=np.int16)
    tone = make_tone(300)
    pause = np.zeros(HZ // 10, dtype=np.int16)
    padded = np.concatenate((quiet, tone, pause, tone, quiet))
    assert len(speech.trim(padded)) == len(tone) * 2 + len(pause)


def test_a_file_of_another_rate(tmp_path: Path, make_tone: Callable[..., Pcm]) -> None:
    path = tmp_path / "tone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(np.column_stack((make_tone(1000), make_tone(1000))).astype("<i2").tobytes())
    said = speech.load(path, "a tone")
    assert said.text == "a tone"
    assert said.duration_ms == pytest.approx(500, abs=20)  # 8,000 samples of 16 kHz
    assert active_level_dbfs(said.audio, HZ) == pytest.approx(speech.CALLER_DBFS, abs=0.5)


def test_real_speech() -> None:
    root = Path(__file__).parents[2]
    folder = Path(os.environ.get("VOXBUS_TEST_AUDIO", root / ".." / "shared" / "audio"))
    path = folder / "numbers.wav"
    if not path.exists():
        pytest.skip(f"no real speech in {folder}: set VOXBUS_TEST_AUDIO")
    said = speech.load(path)
    assert 3000 < said.duration_ms < 4100
