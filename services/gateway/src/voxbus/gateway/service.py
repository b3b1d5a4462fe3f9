"""The gateway: a web server for Twilio on one side, the bus on the other."""

from __future__ import annotations

import asyncio

from voxbus.common import subjects
from voxbus.common.bus import Bus
from voxbus.common.logs import get_logger
from voxbus.common.run import background
from voxbus.common.web import Limits, WebServer
from voxbus.gateway import core_closing, metrics
from voxbus.gateway.agents import AGENTS_ASKED, Catalog
from voxbus.gateway.clipbox import ClipBox
from voxbus.gateway.core_doorman import Allowance, Doorman
from voxbus.gateway.edge import Edge
from voxbus.gateway.gate import Gate
from voxbus.gateway.http import make_app
from voxbus.gateway.media_socket import for_board
from voxbus.gateway.phone.desk import Desk
from voxbus.gateway.phone.feed import Feeds
from voxbus.gateway.phone.routes import add_phone
from voxbus.gateway.recording import Recordings
from voxbus.gateway.settings import GatewaySettings
from voxbus.gateway.switchboard import Switchboard
from voxbus.gateway.ticker import Ticker
from voxbus.gateway.urls import is_in, networks
from voxbus.gateway.webhooks import Webhooks

log = get_logger(__name__)

#: After calls were handed over Twilio asks /twilio/next; whoever has no other gateway asks this one.
LINGER_S = 1.0
#: Another gateway answers sooner.
_SUCCESSOR_S = 0.3
#: What no gateway answers for in this time is removed: the slowest one counts.
_GATEWAYS_S = 5.0


class Gateway:
    """A ``voxbus.common.run.Service``. ``port`` is known once ``start`` has returned."""

    def __init__(self, settings: GatewaySettings, bus: Bus) -> None:
        self._settings = settings
        self._bus = bus
        self._catalog = Catalog.load(settings.agents_dir, settings.persona)
        self._recordings = Recordings(settings.recordings_dir, settings.recordings_keep_days)
        self._server: WebServer | None = None
        self._board: Switchboard | None = None
        self._feeds: Feeds | None = None
        self._tidying: asyncio.Task[None] | None = None
        self.port = 0

    async def start(self) -> None:
        settings = self._settings
        self._catalog.check()  # whoever listens is sent calls
        gate = Gate(settings)
        # Told before it is there for all to see: another gateway removes what nobody answers for.
        await self._bus.answer(subjects.GATEWAYS, self._asked)
        await self._catalog.publish(self._bus.agents)
        patience = core_closing.Limits(
            reply=settings.no_reply_seconds * 1000, filler=settings.filler_after_ms
        )
        clips = ClipBox(self._bus.clips)
        trusted = networks(settings.trusted_proxies)
        doorman = Doorman(Allowance(settings.address_requests, settings.address_connections), trusted)
        board = self._board = Switchboard(
            self._bus, self._catalog, gate, clips, Ticker(), self._recordings, doorman, patience,
            settings.max_streams, settings.slow_client_seconds,
        )  # fmt: skip
        webhooks = Webhooks(self._bus, self._catalog)
        feeds = self._feeds = Feeds(self._bus)
        app = make_app(board, webhooks)
        add_phone(app, gate.phone, Desk(board, webhooks), feeds)
        edge = Edge(app, doorman, secure=settings.public_url.startswith("https:"))
        server = self._server = WebServer(
            edge,
            Limits(
                settings.max_connections,
                settings.address_connections,
                settings.request_seconds,
                settings.request_seconds,
                is_proxy=lambda address: is_in(address, trusted),
            ),
            lambda code: metrics.BAD_REQUESTS.labels(code).inc(),
            ws=for_board(board),
        )
        self._recordings.start()
        await server.start(settings.gateway_host, settings.gateway_port, "GATEWAY")
        self.port = server.port
        await self._bus.answer(subjects.REMOVE_RECORDINGS, self._recordings.remove)
        self._tidying = background(
            self._catalog.tidy(self._bus, _GATEWAYS_S), name="look for agents that are gone"
        )
        log.info("listening", host=settings.gateway_host, port=self.port, validate=settings.twilio_validate)

    def _asked(self, question: bytes) -> bytes | None:
        if question == AGENTS_ASKED:
            return None if self._board is not None and self._board.draining else self._catalog.told()
        return b"ready" if self.port and not self.not_ready() else None

    def not_ready(self) -> str:
        return self._board.not_ready() if self._board is not None else "starting"

    async def drain(self) -> None:
        """New streams are refused; running ones are closed in a quiet moment, and go on at another gateway.

        Where there is another one, nobody is let in here any more: a connection that is refused goes to the next
        backend at once, and with it the streams that we close.
        """
        assert self._board is not None
        self._board.draining = True
        if self._tidying is not None:
            self._tidying.cancel()
        self._board.successor = await self._bus.ask(subjects.GATEWAYS, b"", _SUCCESSOR_S) is not None
        if self._board.successor and self._server is not None:
            self._server.refuse()
        if await self._board.hand_over(self._settings.drain_seconds * 0.6):
            await asyncio.sleep(min(LINGER_S, self._settings.drain_seconds * 0.1))
        await self._recordings.stop()
        await self._board.unsent.drain(self._settings.drain_seconds * 0.2)
        if self._feeds is not None:
            self._feeds.stop()
        if self._server is not None:
            await self._server.stop()


def build(settings: GatewaySettings, bus: Bus) -> Gateway:
    return Gateway(settings, bus)
