"""One recognition process, seen from the worker that started it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections import deque
from typing import Final

from voxbus.common.errors import ProviderError
from voxbus.stt.providers.pocketsphinx.wire import (
    Failed,
    Grammar,
    Hello,
    Message,
    Reader,
    Recognize,
    Recognized,
    pack,
)

_COMMAND: Final = (sys.executable, "-m", "voxbus.stt.providers.pocketsphinx.child")
_START_S: Final = 60.0
#: The longest audio takes some 2 s of a CPU; a machine may be busy.
_ANSWER_S: Final = 10.0
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
    """One request at a time. ``grammars``: the keys that it was sent. ``requests``: how many there were."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        assert child.stdin is not None
        assert child.stdout is not None
        self.grammars: set[str] = set()
        self.requests = 0
        self._killed = False
        self._started_s = time.monotonic()
        self._child = child
        self._stdin = child.stdin
        self._stdout = child.stdout
        self._reader = Reader()
        self._received: deque[Message] = deque()

    @classmethod
    async def start(cls) -> Process:
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
                raise ProviderError("unavailable", f"PocketSphinx does not start: {error}") from error
            raise
        if isinstance(message, Hello):
            return process
        reason = message.reason if isinstance(message, Failed) else "it said something else"
        process.kill()
        raise ProviderError("unavailable", f"PocketSphinx does not start: {reason}", retry=False)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def alive(self) -> bool:
        return not self._killed and self._child.returncode is None and not self._stdout.at_eof()

    @property
    def age_s(self) -> float:
        return time.monotonic() - self._started_s

    def learn(self, grammar: Grammar) -> None:
        """Sends a grammar ahead of need, once."""
        if grammar.key not in self.grammars:
            self.grammars.add(grammar.key)
            self._send(grammar)

    async def recognize(self, grammar: Grammar, audio: bytes) -> Recognized:
        """Raises ProviderError: ``failed``, or ``crashed`` or ``stalled`` where it is killed.

        Must not be cancelled: the answer would be taken for that to the next request. (It would be noticed, which
        costs the process.)
        """
        self.learn(grammar)
        self.requests += 1
        self._send(Recognize(self.requests, grammar.key, audio))
        match await self._next(_ANSWER_S):
            case Recognized(number=number) as answer if number == self.requests:
                return answer
            case Failed(number, reason) if number == self.requests:
                raise ProviderError("failed", reason, retry=False)
            case other:
                self.kill()
                raise ProviderError("crashed", f"the recognition process said {type(other).__name__} unasked")

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
                raise ProviderError("stalled", "the recognition process hangs") from None
            if not data:
                self.kill()  # a pipe may close before its process is gone
                raise ProviderError("crashed", "the recognition process died")
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
