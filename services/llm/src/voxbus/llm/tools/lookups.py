"""Where the names of tools' hosts lead, looked up apart from the worker's own look-ups: a thread whose name server does
not answer cannot be called back, and the models' hosts are looked up in the loop's few threads.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

_AT_A_TIME: Final = 16


class Lookups:
    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="tool-lookup")
        self._free = threading.BoundedSemaphore(_AT_A_TIME)

    async def addresses(self, host: str, port: int) -> list[str]:
        """Raises OSError or UnicodeError for a name that leads nowhere, and OSError when all threads hang."""
        if not self._free.acquire(blocking=False):
            raise OSError("too many look-ups under way")
        asked = self._threads.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        asked.add_done_callback(lambda _: self._free.release())
        found = await asyncio.wrap_future(asked)
        return list(dict.fromkeys(str(address[0]) for *_, address in found))

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
