"""One child process, seen from the worker that started it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections import deque
from typing import Final, Generic, Self

from voxbus.common.children.wire import M, Wire
from voxbus.common.errors import ProviderError

#: The process needs no more of the environment, and must not see the credentials in it.
_KEEP: Final = (
    "PATH",
    "PYTHONPATH",
    "PYTHONHOME",
    "VIRTUAL_ENV",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "TMPDIR",
)
_CLOSE_S: Final = 1.0


class ChildProcess(Generic[M]):
    """``alive`` until it ended or was killed, noticed or not: what is not may be asked."""

    def __init__(self, child: asyncio.subprocess.Process, wire: Wire[M]) -> None:
        assert child.stdin is not None
        assert child.stdout is not None
        self._child = child
        self._stdin = child.stdin
        self._stdout = child.stdout
        self._wire = wire
        self._reader = wire.reader()
        self._received: deque[M] = deque()
        self._killed = False
        self._started_s = time.monotonic()

    @classmethod
    async def begin(cls, module: str, wire: Wire[M], within_s: float) -> tuple[Self, M]:
        """Runs ``module``; its first message, too. Raises ProviderError ``unavailable`` when none comes."""
        try:
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", module),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={name: os.environ[name] for name in _KEEP if name in os.environ},
            )
        except FileNotFoundError as error:
            raise ProviderError("unavailable", f"no Python to run: {error}", retry=False) from error
        process = cls(child, wire)
        try:
            return process, await process.next(within_s)
        except BaseException as error:
            process.kill()
            if isinstance(error, ProviderError):
                raise ProviderError("unavailable", f"{module} does not start: {error}") from error
            raise

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def age_s(self) -> float:
        return time.monotonic() - self._started_s

    @property
    def alive(self) -> bool:
        return not self._killed and self._child.returncode is None and not self._stdout.at_eof()

    def send(self, message: M) -> None:
        if not self._stdin.is_closing():  # else it is dead, which the next read finds out
            self._stdin.write(self._wire.pack(message))

    async def next(self, within_s: float) -> M:
        """Its next message. Raises ProviderError, ``stalled`` or ``crashed``, and it is killed."""
        while not self._received:
            try:
                async with asyncio.timeout(within_s):
                    data = await self._stdout.read(65536)
            except TimeoutError:
                self.kill()
                raise ProviderError("stalled", "the process hangs") from None
            if not data:
                self.kill()  # a pipe may close before its process is gone
                raise ProviderError("crashed", "the process died")
            self._received.extend(self._reader.feed(data))
        return self._received.popleft()

    def unasked(self, message: M) -> ProviderError:
        """To raise when it says what nobody asked it: it is killed, for what it says next would be no better."""
        self.kill()
        return ProviderError("crashed", f"the process said {type(message).__name__} unasked")

    def kill(self) -> None:
        self._killed = True
        with contextlib.suppress(ProcessLookupError):
            self._child.kill()

    async def close(self) -> None:
        self._stdin.close()  # it ends by itself when its requests end
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._child.wait()
        except TimeoutError:
            self.kill()
            await self._child.wait()
