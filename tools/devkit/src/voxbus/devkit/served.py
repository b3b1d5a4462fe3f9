"""A simulated system that is asked over HTTP: its server, while an ``async with`` lasts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

from aiohttp import web


class Served(ABC):
    """``port``: 0 = a free one, which is known inside."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port

    @abstractmethod
    def app(self) -> web.Application:
        """What is served."""

    async def __aenter__(self) -> Self:
        self._runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def connections(self) -> int:
        """How many clients are connected now."""
        assert self._runner.server is not None
        return len(self._runner.server.connections)

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}"
