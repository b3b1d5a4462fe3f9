"""What a scripted caller says: synthesized, or from a file; 8 kHz, without silence at its ends, at a caller's level."""

from __future__ import annotations

import functools
import subprocess
import sys
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from voxbus.common.audio import HZ, Pcm, Resampler, active_level_dbfs

#: Active level of a caller on a telephone line, a little below the agent's.
CALLER_DBFS = -22.0

#: A voice that no agent uses, and of the variants one that the embedded recognizer understands well.
VOICE = "en-us+m3"

#: This much below the active level is silence.
_TRIM_DB = 30.0
_WINDOW = HZ // 100


@dataclass(frozen=True, eq=False)
class Speech:
    """``audio``: int16, 8 kHz. ``text`` is what it says, as far as that is known."""

    text: str
    audio: Pcm

    @property
    def duration_ms(self) -> float:
        return len(self.audio) * 1000 / HZ


class SpeechError(Exception):
    """No speech could be made, or read."""


@functools.cache
def speak(text: str, *, voice: str = VOICE, rate: int = 160, pitch: int = 50) -> Speech:
    """``text`` in an eSpeak voice (``rate`` words a minute, ``pitch`` 0-99). Takes some 100 ms; kept for next time."""
    command = [sys.executable, "-m", "voxbus.devkit.espeak", voice, str(rate), str(pitch)]
    done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=60, check=False)
    if done.returncode != 0 or len(done.stdout) <= 4:
        raise SpeechError(done.stderr.decode(errors="replace").strip() or "eSpeak NG said nothing")
    hz = int.from_bytes(done.stdout[:4], "little")
    return Speech(text, _prepare(np.frombuffer(done.stdout[4:], dtype="<i2").astype(np.int16), hz))


def hum(*, voice: str = VOICE) -> Speech:
    """“mm-hm” of half a second, as people say it over somebody who speaks: at 0.7 s it would be an interruption."""
    return speak("mm-hm", voice=voice, rate=260)


@functools.cache
def load(path: Path, text: str = "") -> Speech:
    """A 16-bit WAV file of any rate; of several channels the first."""
    with wave.open(str(path), "rb") as file:
        if file.getsampwidth() != 2:
            raise SpeechError(f"{path}: expected 16-bit samples")
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        first = samples.reshape(-1, file.getnchannels())[:, 0].astype(np.int16)
        return Speech(text or path.stem, _prepare(first, file.getframerate()))


def trim(audio: Pcm) -> Pcm:
    """``audio`` (8 kHz) without the silence before and after, in steps of 10 ms: the end of it is the end of speech."""
    windows = audio[: len(audio) // _WINDOW * _WINDOW].reshape(-1, _WINDOW)
    if not len(windows):
        return audio
    rms = np.sqrt(np.mean(windows.astype(np.float64) ** 2, axis=1))
    floor = 32768 * 10 ** ((active_level_dbfs(audio, HZ) - _TRIM_DB) / 20)
    loud = np.flatnonzero(rms > floor)
    if not len(loud):
        raise SpeechError("nothing but silence")
    return audio[loud[0] * _WINDOW : (loud[-1] + 1) * _WINDOW]


def _prepare(samples: Pcm, hz: int) -> Pcm:
    resampler = Resampler(hz, HZ)
    audio = trim(np.concatenate((resampler.feed(samples), resampler.flush())))
    gain = 10 ** ((CALLER_DBFS - active_level_dbfs(audio, HZ)) / 20)
    louder: Pcm = np.clip(np.rint(audio * gain), -32768, 32767).astype(np.int16)
    return louder
