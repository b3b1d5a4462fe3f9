"""One recording while it is written. It may block: only the writer's thread comes here."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voxbus.gateway.recording.core_wav import HEADER_BYTES, QUIET_PAIR, header

#: Read again, and filled up with silence, in pieces of this size.
_PIECE_BYTES: Final = 1 << 18


@dataclass(frozen=True)
class Closed:
    """What became of a file. ``data_bytes``: samples in it, of them ``lost_bytes`` silence for what was not written.

    ``sha256``: hex, of the whole file; empty when it cannot be read. ``cause``: the name of the first fault, or empty.
    """

    data_bytes: int = 0
    lost_bytes: int = 0
    sha256: str = ""
    cause: str = ""

    @property
    def size_bytes(self) -> int:
        return HEADER_BYTES + self.data_bytes


class WavFile:
    """Made when nobody has one of that name. Raises OSError then.

    After each ``append`` the header says what is in the file, so that it can be read at any time: the samples first,
    then the header, which never promises more than is there.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o600)
        self._size = 0
        self._lost = 0
        self._cause = ""
        try:
            _write(self._file, header(0), 0)
        except OSError:
            os.close(self._file)
            raise

    def append(self, at: int, data: bytes) -> None:
        """``at``: where the samples belong, in bytes. What is missing before them is lost, and becomes silence.

        A disk that does not take them is noted, and tried again with the next ones.
        """
        try:
            while self._size < at:
                gap = min(at - self._size, _PIECE_BYTES)
                self._add(QUIET_PAIR * (gap // len(QUIET_PAIR)))
                self._lost += gap
            self._add(data)
        except OSError as error:
            self.note(error)

    def note(self, fault: OSError | str) -> None:
        """The first fault is the one that is told."""
        self._cause = self._cause or (fault if isinstance(fault, str) else cause_of(fault))

    def _add(self, data: bytes) -> None:
        _write(self._file, data, HEADER_BYTES + self._size)
        self._size += len(data)
        _write(self._file, header(self._size), 0)

    def close(self, end: int) -> Closed:
        """``end``: how long it should be, in bytes."""
        self.append(end, b"")
        lost = self._lost + max(0, end - self._size)
        digest = ""
        try:
            os.ftruncate(self._file, HEADER_BYTES + self._size)
            digest = self._digest()
        except OSError as error:
            self.note(error)
        finally:
            with contextlib.suppress(OSError):
                os.close(self._file)
        return Closed(self._size, lost, digest, self._cause)

    def _digest(self) -> str:
        """Read again: the header is first and known last, and a checksum of all but that is none that tools make."""
        digest, at = hashlib.sha256(), 0
        while piece := os.pread(self._file, _PIECE_BYTES, at):
            digest.update(piece)
            at += len(piece)
        return digest.hexdigest()


def cause_of(error: OSError) -> str:
    """Its symbol, such as ENOSPC: the message of an OSError has a path in it."""
    return errno.errorcode.get(error.errno or 0, type(error).__name__)


def _write(file: int, data: bytes, at: int) -> None:
    """All of it. Raises OSError."""
    rest = memoryview(data)
    while rest:
        written = os.pwrite(file, rest, at)
        at += written
        rest = rest[written:]
