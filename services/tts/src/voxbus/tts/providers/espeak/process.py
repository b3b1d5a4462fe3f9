"""One synthesis process, seen from the worker that started it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator
from typing import Final

from voxbus.common.errors import ProviderError
from voxbus.tts.providers.espeak.wire import Audio, Cancel, End, Failed, Hello, Message, Reader, Speak, pack

_COMMAND: Final = (sys.executable, "-m", "voxbus.tts.providers.espeak.child")
_START_S: Final = 30.0
#: A process says something every few ms while it speaks.
_SILENT_S: Final = 3.0
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


class Process:
    """One synthesis process. ``busy`` from a request to its end, read or not."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        assert child.stdin is not None
        assert child.stdout is not None
        self._child = child
        self._stdin = child.stdin
        self._stdout = child.stdout
        self._reader = Reader()
        self._received: deque[Message] = deque()
        self._job = 0
        self.busy = False
        self._killed = False
        self._started_s = time.monotonic()

    @classmethod
    async def start(cls) -> tuple[Process, Hello]:
        """Raises ProviderError ``unavailable`` when it does not come up."""
        child = await asyncio.create_subprocess_exec(
            *_COMMAND,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={name: os.environ[name] for name in _KEEP if name in os.environ},
        )
        process = cls(child)
        try:
            message = await process._next(_START_S)
        except BaseException as error:
            process.kill()
            if isinstance(error, ProviderError):
                raise ProviderError("unavailable", f"eSpeak NG does not start: {error}") from error
            raise
        if isinstance(message, Hello):
            return process, message
        reason = message.reason if isinstance(message, Failed) else "it said something else"
        raise ProviderError("unavailable", f"eSpeak NG does not start: {reason}", retry=False)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def alive(self) -> bool:
        return not self._killed and self._child.returncode is None and not self._stdout.at_eof()

    @property
    def age_s(self) -> float:
        return time.monotonic() - self._started_s

    async def speak(self, text: str, voice: str, rate: int, pitch: int) -> AsyncGenerator[bytes, None]:
        self._job += 1
        self.busy = True
        self._send(Speak(self._job, text, voice, rate, pitch))
        while True:
            match await self._next(_SILENT_S):
                case Audio(job, data) if job == self._job:
                    yield data
                case End(job, error) if job == self._job:
                    self.busy = False
                    if error == "cancelled":
                        raise ProviderError("preempted")
                    if error:
                        raise ProviderError(error, retry=False)
                    return
                case other:
                    self.kill()
                    raise ProviderError(
                        "crashed", f"the synthesis process said {type(other).__name__} unasked"
                    )

    def cancel(self) -> None:
        """The sentence that is being spoken ends, with the error ``preempted`` for whoever reads it."""
        if self.busy:
            self._send(Cancel(self._job))

    async def settle(self) -> None:
        """Reads to the end of a sentence that nobody wants any more. Raises ProviderError."""
        while self.busy:
            match await self._next(_SILENT_S):
                case End(job, _) if job == self._job:
                    self.busy = False

    def _send(self, message: Message) -> None:
        if not self._stdin.is_closing():  # else it is dead, which the next read finds out
            self._stdin.write(pack(message))

    async def _next(self, timeout_s: float) -> Message:
        while not self._received:
            try:
                async with asyncio.timeout(timeout_s):
                    data = await self._stdout.read(65536)
            except TimeoutError:
                self.kill()
                raise ProviderError("stalled", "the synthesis process hangs") from None
            if not data:
                self.kill()  # a pipe may close before its process is gone
                raise ProviderError("crashed", "the synthesis process died")
            self._received.extend(self._reader.feed(data))
        return self._received.popleft()

    def kill(self) -> None:
        self._killed = True
        with contextlib.suppress(ProcessLookupError):
            self._child.kill()

    async def close(self) -> None:
        self._stdin.close()  # it ends by itself when its requests end
        try:
            async with asyncio.timeout(1):
                await self._child.wait()
        except TimeoutError:
            self.kill()
            await self._child.wait()
