"""The gateway: a web server for Twilio on one side, the bus on the other."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn

from voxbus.common import run
from voxbus.common.bus import Bus
from voxbus.common.logs import get_logger
from voxbus.gateway.agents import Catalog
from voxbus.gateway.clipbox import ClipBox
from voxbus.gateway.gate import Gate
from voxbus.gateway.http import make_app
from voxbus.gateway.media_socket import for_board
from voxbus.gateway.settings import GatewaySettings
from voxbus.gateway.switchboard import Switchboard
from voxbus.gateway.ticker import Ticker
from voxbus.gateway.webhooks import Webhooks

log = get_logger(__name__)

#: After calls were handed over Twilio asks /twilio/next; whoever has no other gateway asks this one.
LINGER_S = 1.0


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


class Gateway:
    """A ``voxbus.common.run.Service``. ``port`` is known once ``start`` has returned."""

    def __init__(self, settings: GatewaySettings, bus: Bus) -> None:
        self._settings = settings
        self._bus = bus
        self._catalog = Catalog.load(settings.agents_dir, settings.persona)
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._board: Switchboard | None = None
        self.port = 0

    async def start(self) -> None:
        settings = self._settings
        gate = Gate(settings)
        await self._catalog.publish(self._bus.agents)
        board = self._board = Switchboard(self._bus, self._catalog, gate, ClipBox(self._bus.clips), Ticker())
        config = uvicorn.Config(
            make_app(board, Webhooks(self._bus, self._catalog)),
            ws=for_board(board),
            # Their own logging would bring back lines with URLs, and URLs of a GET hold phone numbers.
            log_config=None,
            access_log=False,
            lifespan="off",
            # Forwarded headers are ours to judge.
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        # Bound here: where a port is taken, uvicorn would end the process without a word of ours.
        listener = _listen(settings.gateway_host, settings.gateway_port)
        self.port = listener.getsockname()[1]
        server = self._server = _Server(config)
        self._serving = run.background(server.serve([listener]), name="uvicorn")
        await server.listening.wait()
        log.info("listening", host=settings.gateway_host, port=self.port, validate=settings.twilio_validate)

    def not_ready(self) -> str:
        return self._board.not_ready() if self._board is not None else "starting"

    async def drain(self) -> None:
        """New streams are refused; running ones are closed in a quiet moment, and go on at another gateway."""
        assert self._board is not None
        if await self._board.hand_over(self._settings.drain_seconds * 0.6):
            await asyncio.sleep(min(LINGER_S, self._settings.drain_seconds * 0.1))
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await asyncio.wait((self._serving,))


def _listen(host: str, port: int) -> socket.socket:
    """Raises OSError that names the setting."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise OSError(error.errno, f"GATEWAY_HOST {host}, GATEWAY_PORT {port}: {error.strerror}") from error


def build(settings: GatewaySettings, bus: Bus) -> Gateway:
    return Gateway(settings, bus)
