"""Reads text from stdin and writes what eSpeak NG says to stdout: ``python -m voxbus.devkit.espeak VOICE RATE PITCH``.

The first four bytes are the sample rate (little-endian), the rest 16-bit samples. A process of its own, because the
library's state is global and one process can have one voice at a time; and it is GPL-3, which stays on this side.
Constants: espeak-ng/speak_lib.h.
"""

from __future__ import annotations

import ctypes
import sys

import espeakng_loader

_RETRIEVAL = 1
_CHARS_UTF8 = 1
_RATE, _PITCH = 1, 3


def main() -> int:
    voice, rate, pitch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    hz = library.espeak_Initialize(_RETRIEVAL, 0, espeakng_loader.get_data_path().encode(), 0)
    if hz <= 0:
        sys.stderr.write("eSpeak NG did not start\n")
        return 1
    samples = bytearray()

    def collect(pointer: ctypes._Pointer[ctypes.c_short], count: int, _events: int) -> int:
        if pointer and count > 0:
            samples.extend(ctypes.string_at(pointer, count * 2))
        return 0

    signature = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    callback = signature(collect)  # kept alive here: the library holds the bare pointer
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        sys.stderr.write(f"eSpeak NG has no voice {voice}\n")
        return 1
    library.espeak_SetParameter(_RATE, rate, 0)
    library.espeak_SetParameter(_PITCH, pitch, 0)
    text = sys.stdin.buffer.read()
    library.espeak_Synth(text, len(text) + 1, 0, 0, 0, _CHARS_UTF8, None, None)
    library.espeak_Synchronize()
    sys.stdout.buffer.write(hz.to_bytes(4, "little") + samples)
    return 0


if __name__ == "__main__":
    sys.exit(main())
