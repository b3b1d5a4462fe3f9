"""Without a sound device, or what it takes to use one, the demo says what to do."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from voxbus.devkit.demo.listen import NoSoundDevice, Speakers


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Finder:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    with pytest.raises(NoSoundDevice, match="apt install libportaudio2"):
        Speakers()


class PortAudioError(Exception):
    pass


class Stream:
    """What sounddevice calls a stream, as far as it is used: ``pull`` does what its thread does."""

    def __init__(self, *, samplerate: int, channels: int, dtype: str, callback: Any) -> None:
        assert (samplerate, channels, dtype) == (8000, 2, "int16")
        self._callback = callback

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def close(self) -> None: ...

    def pull(self, frames: int) -> np.ndarray:
        out = bytearray(frames * 4)
        self._callback(memoryview(out), frames, None, None)
        return np.frombuffer(bytes(out), dtype="<i2").reshape(-1, 2)


def sounddevice(**attributes: object) -> ModuleType:
    module = ModuleType("sounddevice")
    vars(module).update({"PortAudioError": PortAudioError, "RawOutputStream": Stream, **attributes})
    return module


def test_a_machine_without_loudspeakers_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> Stream:
        raise PortAudioError("no default output device")

    monkeypatch.setitem(sys.modules, "sounddevice", sounddevice(RawOutputStream=refuse))
    with pytest.raises(NoSoundDevice, match="no sound device to play on"), Speakers():
        pass


def test_both_sides_are_played_in_order_and_a_gap_is_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", sounddevice())
    with Speakers() as speakers:
        stream: Stream = vars(speakers)["_stream"]
        assert not stream.pull(960).any()  # 120 ms behind, so that a late frame makes no gap
        speakers.play(np.full(160, 7, np.int16), np.full(160, -9, np.int16))
        assert stream.pull(160).tolist() == [[7, -9]] * 160
        assert not stream.pull(160).any()
