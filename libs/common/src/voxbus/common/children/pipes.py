"""The child's side: blocking messages over stdin and stdout. It is to end when there are no more requests."""

from __future__ import annotations

import os
import select
import signal
from collections import deque
from typing import Generic

from voxbus.common.children.wire import M, Wire


class Pipes(Generic[M]):
    """``received``: requests that were read and not taken yet."""

    def __init__(self, wire: Wire[M], requests_fd: int, answers_fd: int) -> None:
        self.received: deque[M] = deque()
        self._wire = wire
        self._reader = wire.reader()
        self._requests_fd = requests_fd
        self._answers_fd = answers_fd

    @classmethod
    def of_process(cls, wire: Wire[M]) -> Pipes[M]:
        """Those of this process, which is made a child: signals are ignored, and what is printed goes to stderr."""
        # Signals to the group (ctrl-C, a supervisor's stop) are for the worker: it drains, and needs us until then.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        # What a library prints must not get among the messages: they go to a copy of stdout.
        answers_fd = os.dup(1)
        os.dup2(2, 1)
        return cls(wire, 0, answers_fd)

    def next(self) -> M | None:
        """The next request; None when there will be none."""
        while not self.received:
            if not self._read():
                return None
        return self.received.popleft()

    def look(self) -> bool:
        """Reads what is there, waiting for nothing. False when there will be no more."""
        while select.select([self._requests_fd], [], [], 0)[0]:
            if not self._read():
                return False
        return True

    def _read(self) -> bool:
        data = os.read(self._requests_fd, 1 << 20)
        self.received.extend(self._reader.feed(data))
        return bool(data)

    def send(self, message: M) -> None:
        data = memoryview(self._wire.pack(message))
        while data:
            data = data[os.write(self._answers_fd, data) :]
