"""The directory of recordings: ``CALL_SID/STREAM_SID.wav``. It may block: only the writer's thread comes here.

Several gateways may share it. ``.store`` names it, so that the log can say which recordings a file is among.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from pathlib import Path
from typing import Final

from voxbus.common.errors import InvalidCallSid
from voxbus.common.subjects import check_sid

_NAME: Final = ".store"
_STREAM: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PRIVATE: Final = 0o700


class Shelf:
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def store(self) -> str:
        """Its name, which is made where there is none. Raises OSError."""
        if not self.known():
            self._directory.mkdir(_PRIVATE, parents=True, exist_ok=True)
            name = self._directory / _NAME
            if not name.exists():
                own = self._directory / f"{_NAME}.{secrets.token_hex(8)}"
                own.touch(0o600)
                own.write_text(secrets.token_hex(8))
                with contextlib.suppress(FileExistsError):  # another gateway was faster: the name is its name
                    os.link(own, name)
                own.unlink()
        return self.known()

    def known(self) -> str:
        """Its name; empty where nothing was ever recorded, or where its disk is not there now. Raises OSError."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return (self._directory / _NAME).read_text("ascii").strip()
        return ""

    def make(self, sid: str, stream_sid: str) -> tuple[str, Path]:
        """(place, path) of a new recording, whose folder is there then. Raises OSError, InvalidCallSid, ValueError."""
        if _STREAM.fullmatch(stream_sid) is None:
            raise ValueError("not the name of a stream")
        place = f"{check_sid(sid)}/{stream_sid}.wav"
        path = self._directory / place
        path.parent.mkdir(_PRIVATE, exist_ok=True)
        return place, path

    def remove(self, sid: str) -> list[str]:
        """Removes what is kept of a call; returns the places of the files. Raises OSError, InvalidCallSid."""
        folder = self._directory / check_sid(sid)
        removed = []
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            for name in sorted(os.listdir(folder)):
                os.unlink(folder / name)
                removed.append(f"{sid}/{name}")
            os.rmdir(folder)
        return removed

    def expire(self, before_s: float) -> tuple[int, int]:
        """Removes the calls whose recordings were last written before that Unix time.

        Returns how many, and of how many calls something could not be removed. Raises OSError when it cannot look.
        """
        removed = left = 0
        with contextlib.suppress(FileNotFoundError), os.scandir(self._directory) as folders:
            for folder in folders:
                with contextlib.suppress(InvalidCallSid):
                    check_sid(folder.name)
                    try:
                        if folder.is_dir(follow_symlinks=False) and _latest_s(folder.path) < before_s:
                            self.remove(folder.name)
                            removed += 1
                    except FileNotFoundError:  # another gateway was faster
                        continue
                    except OSError:
                        left += 1
        return removed, left


def _latest_s(folder: str) -> float:
    with os.scandir(folder) as files:
        return max([os.stat(folder).st_mtime, *(file.stat(follow_symlinks=False).st_mtime for file in files)])
