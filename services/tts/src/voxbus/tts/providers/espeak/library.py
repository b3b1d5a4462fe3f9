"""libespeak-ng, by ctypes. One per process: the library keeps its state in globals.

The functions and constants are those of ``espeak-ng/speak_lib.h`` (1.52).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from typing import Final

import espeakng_loader
import numpy as np

from voxbus.common.audio import Pcm
from voxbus.tts.providers.espeak.wire import VoiceInfo

_AUDIO_OUTPUT_SYNCHRONOUS: Final = 2  # espeak_Synth returns when all is said; audio goes to the callback
_DONT_EXIT: Final = 0x8000  # report missing data instead of ending the process
_POS_CHARACTER: Final = 1
_CHARS_UTF8: Final = 1
_RATE: Final = 1
_PITCH: Final = 3
_OK: Final = 0

#: Audio a callback. Much shorter only costs calls, much longer delays a cancellation.
_BUFFER_MS: Final = 200


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.POINTER(ctypes.c_char)),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)

#: Takes samples; true = stop here.
OnSamples = Callable[[Pcm], bool]


class EspeakError(Exception):
    pass


class Espeak:
    """Raises EspeakError when the library or its data cannot be used."""

    def __init__(self) -> None:
        try:
            self._lib = ctypes.CDLL(espeakng_loader.get_library_path())
            data_path = espeakng_loader.get_data_path()
        except (OSError, RuntimeError) as error:
            raise EspeakError(f"libespeak-ng cannot be loaded: {error}") from error
        self._lib.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        self._lib.espeak_Info.restype = ctypes.c_char_p
        self.hz: int = self._lib.espeak_Initialize(
            _AUDIO_OUTPUT_SYNCHRONOUS, _BUFFER_MS, data_path.encode(), _DONT_EXIT
        )
        if self.hz <= 0:
            raise EspeakError(f"eSpeak NG finds no data in {data_path}")
        self._callback = _Callback(self._on_samples)  # kept: the library only has its address
        self._lib.espeak_SetSynthCallback(self._callback)
        self._speaking: OnSamples = lambda _: True
        self._error: BaseException | None = None
        self._stopped = False
        self._set_up: tuple[str, int, int] | None = None

    @property
    def version(self) -> str:
        return str(self._lib.espeak_Info(None).decode().split()[0])

    def voices(self) -> tuple[VoiceInfo, ...]:
        return tuple(self._list(None))

    def variants(self) -> tuple[str, ...]:
        every = _Voice(languages=ctypes.cast(ctypes.c_char_p(b"variant"), ctypes.POINTER(ctypes.c_char)))
        return tuple(voice.identifier.removeprefix("!v/") for voice in self._list(ctypes.byref(every)))

    def _list(self, spec: object) -> Iterator[VoiceInfo]:
        found = self._lib.espeak_ListVoices(spec)
        at = 0
        while found[at]:
            voice = found[at].contents
            yield VoiceInfo(
                voice.identifier.decode(), voice.name.decode(), tuple(_languages(voice.languages))
            )
            at += 1

    def speak(self, text: str, voice: str, rate: int, pitch: int, on_samples: OnSamples) -> bool:
        """Says ``text``; ``on_samples`` gets it as it is made. Whether it came to the end.

        Raises EspeakError for a voice that does not exist, and whatever ``on_samples`` raised.
        """
        self._set(voice, rate, pitch)
        self._speaking, self._stopped, self._error = on_samples, False, None
        data = text.encode("utf-8", "replace")
        status = self._lib.espeak_Synth(data, len(data) + 1, 0, _POS_CHARACTER, 0, _CHARS_UTF8, None, None)
        if self._error is not None:
            raise self._error
        if status != _OK:
            raise EspeakError(f"espeak_Synth: status {status}")
        return not self._stopped

    def _set(self, voice: str, rate: int, pitch: int) -> None:
        if self._set_up == (voice, rate, pitch):
            return
        self._set_up = None
        if self._lib.espeak_SetVoiceByName(voice.encode()) != _OK:
            raise EspeakError("no such voice")
        # After the voice, which brings a rate and a pitch of its own, or keeps those of the voice before.
        self._lib.espeak_SetParameter(_RATE, rate, 0)
        self._lib.espeak_SetParameter(_PITCH, pitch, 0)
        self._set_up = (voice, rate, pitch)

    def _on_samples(self, samples: ctypes._Pointer[ctypes.c_short], count: int, _events: object) -> int:
        # An exception cannot pass through C: it is kept, and raised where espeak_Synth returns.
        if count <= 0 or not samples or self._stopped:
            return int(self._stopped)
        try:
            self._stopped = self._speaking(np.ctypeslib.as_array(samples, (count,)).astype(np.int16))
        except BaseException as error:  # noqa: BLE001 - see above
            self._error, self._stopped = error, True
        return int(self._stopped)


def _languages(packed: ctypes._Pointer[ctypes.c_char]) -> Iterator[str]:
    """Each language is a byte for its priority and a C string; a zero byte ends the list."""
    at = 0
    while packed[at] != b"\0":
        tag = bytearray()
        while (char := packed[at + 1]) != b"\0":
            tag += char
            at += 1
        yield tag.decode()
        at += 2
