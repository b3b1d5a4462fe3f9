"""The thread in which all files are written: a disk that is slow, or full, is nothing that a call waits for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Final, TypeVar

from voxbus.common.logs import get_logger

T = TypeVar("T")

#: What may wait to be written, of all calls together: half an hour of one, or 4 s of 500.
LIMIT_BYTES: Final = 32 << 20

log = get_logger(__name__)


class Writer:
    """Does one task after another. A daemon: a disk that never answers does not keep the process from its end."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._tasks: SimpleQueue[tuple[Callable[[], object], int]] = SimpleQueue()
        self._limit_bytes = limit_bytes
        self._posted_bytes = 0  # counted by the loop
        self._done_bytes = 0  # counted by the thread
        self._thread: threading.Thread | None = None

    @property
    def waiting_bytes(self) -> int:
        return self._posted_bytes - self._done_bytes

    def post(self, task: Callable[[], object], size: int = 0) -> bool:
        """False: too much waits already. ``size``: the bytes that the task keeps in memory."""
        if size and self.waiting_bytes + size > self._limit_bytes:
            return False
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="recordings", daemon=True)
            self._thread.start()
        self._posted_bytes += size
        self._tasks.put((task, size))
        return True

    async def ask(self, question: Callable[[], T]) -> T:
        """What ``question`` returns, in its turn, or raises. It is done also when nobody waits for it any more."""
        answer: Future[T] = Future()

        def work() -> None:
            try:
                answer.set_result(question())
            except Exception as error:
                answer.set_exception(error)
                raise

        self.post(work)
        return await asyncio.shield(asyncio.wrap_future(answer))

    def _run(self) -> None:
        while True:
            task, size = self._tasks.get()
            try:
                task()
            except Exception:  # one file's fault must not stop the others
                log.exception("a recording was not written")
            self._done_bytes += size
