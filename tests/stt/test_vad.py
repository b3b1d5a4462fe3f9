"""The detector on real speech, synthesized speech and silence; the traps of its model."""

from __future__ import annotations

import os
import wave
from pathlib import Path

import numpy as np
import pytest

from voxbus.common.audio import Resampler, mulaw_encode
from voxbus.stt import vad as vad_module
from voxbus.stt.onnx_model import OnnxModel
from voxbus.stt.vad import WINDOW, VadError, VoiceActivity, model_path
from voxbus.stt.vad import load as load_model

AUDIO = Path(os.environ.get("VOXBUS_TEST_AUDIO", Path(__file__).parents[2] / ".." / "shared" / "audio"))


def load(name: str) -> bytes:
    path = AUDIO / name
    if not path.exists():
        pytest.skip(f"no real speech at {AUDIO}: set VOXBUS_TEST_AUDIO")
    with wave.open(str(path), "rb") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)
        resampler = Resampler(file.getframerate(), 8000)
    return mulaw_encode(np.concatenate([resampler.feed(samples), resampler.flush()]))


def probabilities(vad: VoiceActivity, audio: bytes) -> list[float]:
    row = vad.open()
    found = [vad.step([row], [audio[i : i + WINDOW]])[0] for i in range(0, len(audio) - WINDOW + 1, WINDOW)]
    vad.close(row)
    return found


@pytest.fixture(scope="module")
def vad() -> VoiceActivity:
    return VoiceActivity(8)


def test_it_is_the_network_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence, a vowel of falling pitch, silence, noise: as onnxruntime hears them."""
    seconds = np.arange(WINDOW * 12) / 8000
    phase = 2 * np.pi * np.cumsum(140 - 40 * seconds) / 8000
    vowel = sum(np.sin(k * phase) * np.exp(-(((k * 125 - 700) / 500) ** 2)) for k in range(1, 25))
    vowel[: WINDOW * 2] = vowel[WINDOW * 8 :] = 0
    noise = np.random.default_rng(5).normal(size=len(seconds)) * 0.05 * (seconds > WINDOW * 9 / 8000)
    audio = mulaw_encode(np.clip((vowel * 0.3 + noise) * 12000, -32000, 32000).astype(np.int16))
    ours = probabilities(VoiceActivity(2), audio)
    monkeypatch.setattr(vad_module, "load", OnnxModel)
    assert ours == pytest.approx(probabilities(VoiceActivity(2), audio), abs=2e-3)
    assert min(ours) < 0.1
    assert max(ours) > 0.9


def test_a_network_that_is_not_known_is_run_all_the_same(
    vad: VoiceActivity, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("voxbus.stt.silero._BRANCH", "If_0_another_branch__")
    rng = np.random.default_rng(1)
    audio = bytes(rng.integers(0, 256, WINDOW * 10, dtype=np.uint8))
    assert isinstance(load_model(model_path()), OnnxModel)
    assert probabilities(VoiceActivity(2), audio) == pytest.approx(probabilities(vad, audio), abs=2e-3)
    assert "unknown network" in caplog.text


def test_silence_is_no_speech(vad: VoiceActivity) -> None:
    assert max(probabilities(vad, b"\xff" * 16000)) < 0.3


@pytest.mark.parametrize("name", ["austen-0870.wav", "austen-0880.wav", "austen-0890.wav"])
def test_reading_is_speech(vad: VoiceActivity, name: str) -> None:
    found = probabilities(vad, load(name))
    # A wrong context, scale or rate gives a share below 0.45 without any error.
    assert np.mean([p > 0.5 for p in found]) > 0.7


def test_the_pauses_of_a_caller_are_seen(vad: VoiceActivity) -> None:
    found = probabilities(vad, load("numbers.wav"))
    assert min(found) < 0.1
    assert max(found) > 0.95


def test_a_batch_is_the_same_as_one_after_another(vad: VoiceActivity) -> None:
    rng = np.random.default_rng(1)
    calls = [bytes(rng.integers(0, 256, WINDOW * 10, dtype=np.uint8)) for _ in range(4)]
    alone = [probabilities(vad, call) for call in calls]
    rows = [vad.open() for _ in calls]
    together = [vad.step(rows, [call[i * WINDOW : (i + 1) * WINDOW] for call in calls]) for i in range(10)]
    for row in rows:
        vad.close(row)
    assert np.allclose(np.array(together).T, np.array(alone), atol=1e-4)


def test_a_row_is_fresh_when_it_is_opened_again(vad: VoiceActivity) -> None:
    audio = b"\xff" * 4096
    first = probabilities(vad, audio)
    probabilities(vad, bytes(np.random.default_rng(2).integers(0, 256, 8192, dtype=np.uint8)))
    assert probabilities(vad, audio) == first


def test_a_window_of_another_length_is_refused(vad: VoiceActivity) -> None:
    row = vad.open()
    with pytest.raises(VadError, match="256 bytes"):
        vad.step([row], [b"\xff" * 160])
    vad.close(row)


def test_another_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for content in (b"", b"no model", b"\x3a\x7f"):
        (tmp_path / "model").write_bytes(content)
        monkeypatch.setattr("voxbus.stt.vad.model_path", lambda: tmp_path / "model")
        with pytest.raises(VadError, match="no model that can be run"):
            VoiceActivity(1)


def test_more_calls_than_rows_are_refused() -> None:
    vad = VoiceActivity(1)
    vad.open()
    with pytest.raises(VadError, match="capacity"):
        vad.open()
