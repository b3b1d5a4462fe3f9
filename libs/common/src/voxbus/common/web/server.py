"""uvicorn on the loop of a service, under limits."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from voxbus.common import run
from voxbus.common.web.connection import limited
from voxbus.common.web.limits import House, Limits

#: What a process opens besides connections: files, NATS, child processes.
_OTHER_FILES = 200


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the run loop has its own."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class WebServer:
    """``app``: an ASGI application; it finds the ``Seat`` of its connection in the scope's state, as ``seat``.
    ``options`` go to uvicorn. ``on_refused`` is told a code for each connection that a limit ended.

    ``port`` is the one that it listens on, known once ``start`` has returned.
    """

    def __init__(
        self,
        app: Any,
        limits: Limits,
        on_refused: Callable[[str], None],
        **options: Any,
    ) -> None:
        _allow_files(limits.connections + _OTHER_FILES)
        defaults: dict[str, Any] = {
            # Their own logging would bring back lines with URLs, and URLs of a GET hold phone numbers.
            "log_config": None,
            "http": limited(House(limits), on_refused),
            "access_log": False,
            "lifespan": "off",
            # Forwarded headers are ours to judge.
            "proxy_headers": False,
            "server_header": False,
            "timeout_graceful_shutdown": 2,
        }
        self._server = _Server(uvicorn.Config(app, **(defaults | options)))
        self._serving: asyncio.Task[None] | None = None
        self.port = 0

    async def start(self, host: str, port: int, prefix: str) -> None:
        """``port`` 0: a free one. Raises OSError where that cannot be listened on, which names the variables
        ``{prefix}_HOST`` and ``{prefix}_PORT``.
        """
        # Bound here: where a port is taken, uvicorn would end the process without a word of ours.
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listener = socket.create_server((host, port), family=family, backlog=2048)
        except OSError as error:
            raise OSError(
                error.errno, f"{prefix}_HOST {host}, {prefix}_PORT {port}: {error.strerror}"
            ) from error
        self.port = listener.getsockname()[1]
        self._serving = run.background(self._server.serve([listener]), name="uvicorn")
        await self._server.listening.wait()

    def refuse(self) -> None:
        """Takes no more connections; those that are open stay."""
        for server in self._server.servers:
            server.close()

    async def stop(self) -> None:
        """Takes no more requests, and lets those that are being answered finish."""
        if self._serving is not None:
            self._server.should_exit = True
            await asyncio.wait((self._serving,))


def _allow_files(wanted: int) -> None:
    """A connection that is accepted and has no file descriptor is worse than one that is refused."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
