"""Child processes that never outlive us, with their log lines in our hands."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

#: What a line of a child's log may have at most: a traceback in JSON is long.
_LINE_LIMIT = 2**20


def die_with_parent() -> None:
    """For ``preexec_fn``: the kernel kills the child when the thread that started it ends, however it ends.

    Start children from the main thread, therefore. Elsewhere than on Linux a killed parent leaves them behind.
    """
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class ChildFailed(RuntimeError):
    """A process did not become ready."""


OnLine = Callable[[str, str], None]


class Child:
    """A service's process: ``python -m voxbus.<service>``. ``on_line(name, line)`` gets every line of its log."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        env: Mapping[str, str],
        log: Path,
        on_line: OnLine | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._env = env
        self._on_line = on_line
        self._process: asyncio.subprocess.Process | None = None
        self._ready = asyncio.Event()
        self._fields: dict[str, object] = {}
        self._pump: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def status(self) -> int | None:
        """The exit status; None while it runs."""
        return self._running.returncode

    def port(self, field: str) -> int:
        """A port that the process named in its log, ``metrics_port`` or ``http_port``."""
        port = self._fields.get(field)
        if not isinstance(port, int):
            raise ChildFailed(f"{self.name} named no {field}; see {self.log}")
        return port

    async def start(self) -> None:
        # A pipe of our own: asyncio's would make the end of the process wait for the end of all who inherited it.
        ours, theirs = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                env=dict(self._env),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=theirs,
                stderr=theirs,
                # A group of its own: the terminal's ctrl-C reaches only us, and its own children go with it.
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        finally:
            os.close(theirs)
        self._pump = asyncio.create_task(self._read_log(os.fdopen(ours, "rb")), name=f"log of {self.name}")

    async def ready(self, timeout_s: float) -> None:
        """Until its log says ``ready``. Raises ChildFailed with the end of the log."""
        ready = asyncio.create_task(self._ready.wait())
        ended = asyncio.create_task(self.wait())
        done, _ = await asyncio.wait((ready, ended), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        ended.cancel()
        if ready not in done:
            what = (
                f"ended with status {self.status}" if ended in done else f"is not ready after {timeout_s:g} s"
            )
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])
            raise ChildFailed(f"{self.name} {what}:\n{tail}")

    def signal(self, number: int) -> None:
        """To the process alone, as an orchestrator or the kernel would."""
        with contextlib.suppress(ProcessLookupError):
            self._running.send_signal(number)

    async def wait(self) -> int:
        """Until it ended and its log was read. Returns the exit status."""
        status = await self._running.wait()
        if self._pump is not None:
            await asyncio.wait((self._pump,), timeout=0.5)  # what it started may hold the pipe open
        return status

    async def stop(self, timeout_s: float) -> int:
        """SIGTERM, and SIGKILL to whatever of its group is left after ``timeout_s``. Returns the exit status."""
        if self._process is None:
            return 0
        self.signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._running.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        status = await self.wait()
        if self._pump is not None:
            self._pump.cancel()
        return status

    @property
    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise ChildFailed(f"{self.name} was not started")
        return self._process

    async def _read_log(self, pipe: BinaryIO) -> None:
        reader = asyncio.StreamReader(limit=_LINE_LIMIT)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        with contextlib.closing(transport), self.log.open("ab") as file:
            async for line in reader:
                file.write(line)
                file.flush()
                self._notice(line)
                if self._on_line is not None:
                    self._on_line(self.name, line.decode(errors="replace").rstrip())

    def _notice(self, line: bytes) -> None:
        if self._ready.is_set() or not line.startswith(b"{"):
            return
        with contextlib.suppress(ValueError):
            fields = json.loads(line)
            self._fields |= {name: value for name, value in fields.items() if name.endswith("_port")}
            match fields.get("message"):
                case "listening":
                    self._fields["http_port"] = fields["port"]
                case "ready":
                    self._ready.set()
