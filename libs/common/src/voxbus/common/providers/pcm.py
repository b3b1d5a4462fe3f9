"""Audio as it comes over the network: pieces of any size become whole samples, and a WAV header disappears.

Providers send a header although none was asked for, split over pieces; samples are cut in half at the end of a piece.
"""

from __future__ import annotations

import struct
from typing import Final

from voxbus.common.errors import ProviderError

_RIFF: Final = b"RIFF"
#: No header of speech is longer; what is, is no header.
_LONGEST_HEADER: Final = 4096


class PcmReader:
    """``sample_bytes``: 1 for mu-law, 2 for 16-bit samples. One stream of audio; ``flush`` ends it."""

    def __init__(self, sample_bytes: int) -> None:
        self._sample_bytes = sample_bytes
        self._rest = b""
        self._in_header = True

    def feed(self, data: bytes) -> bytes:
        """What is whole now; may be empty. Raises ProviderError for a header without audio behind it."""
        self._rest += data
        if self._in_header and not self._skip_header():
            return b""
        whole = len(self._rest) // self._sample_bytes * self._sample_bytes
        audio, self._rest = self._rest[:whole], self._rest[whole:]
        return audio

    def flush(self) -> bytes:
        """What was held because it might have been a header. Half a sample is dropped."""
        rest, self._rest = self._rest, b""
        if self._in_header and rest.startswith(_RIFF):
            return b""
        self._in_header = True
        return rest[: len(rest) // self._sample_bytes * self._sample_bytes]

    def _skip_header(self) -> bool:
        """Whether the audio begins at the front of the rest."""
        rest = self._rest
        if not rest.startswith(_RIFF[: len(rest)]):
            self._in_header = False
            return True
        if len(rest) < 12:
            return False
        at = 12  # RIFF, size, WAVE; then chunks of four letters, a size, and so many bytes, made even
        while at + 8 <= len(rest):
            name, size = struct.unpack_from("<4sI", rest, at)
            if name == b"data":
                self._rest = rest[at + 8 :]
                self._in_header = False
                return True
            at += 8 + size + size % 2
            if at > _LONGEST_HEADER:
                raise ProviderError("malformed", "a WAV header without audio")
        return False
