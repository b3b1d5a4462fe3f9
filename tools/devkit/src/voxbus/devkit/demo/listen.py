"""The call, live on this machine's loudspeakers: caller left, agent right."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any

import numpy as np

from voxbus.common.audio import HZ, Pcm


class NoSoundDevice(Exception):
    """Nothing can be played here; the message says what to do about it."""


#: Played this much late, so that a frame that comes late makes no gap.
_BEHIND_MS = 120


class Speakers:
    """Feed it both sides of every frame, in order; it never blocks."""

    def __init__(self) -> None:
        self._sound = _sounddevice()
        self._lock = threading.Lock()
        self._waiting = bytes(HZ * _BEHIND_MS // 1000 * 4)

    def __enter__(self) -> Speakers:
        try:
            self._stream = self._sound.RawOutputStream(
                samplerate=HZ, channels=2, dtype="int16", callback=self._fill
            )
            self._stream.start()
        except self._sound.PortAudioError as error:
            raise NoSoundDevice(f"--listen: this machine has no sound device to play on ({error})") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.stop()
        self._stream.close()

    def play(self, caller: Pcm, agent: Pcm) -> None:
        both = np.column_stack((caller, agent)).astype("<i2").tobytes()
        with self._lock:
            self._waiting += both

    def _fill(self, out: Any, _frames: int, _time: Any, _status: Any) -> None:
        # Called on the thread of the sound library.
        with self._lock:
            piece, self._waiting = self._waiting[: len(out)], self._waiting[len(out) :]
        out[:] = piece + bytes(len(out) - len(piece))


def _sounddevice() -> Any:
    try:
        import sounddevice
    except OSError as error:  # wheels for Linux come without the C library
        raise NoSoundDevice(
            f"--listen needs the library PortAudio: apt install libportaudio2, or the like ({error})"
        ) from None
    return sounddevice
