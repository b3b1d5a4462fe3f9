"""The scheduler: an API and a database on one side, the carrier and the bus on the other."""

from __future__ import annotations

import asyncio
import contextlib

from voxbus.common import run
from voxbus.common.bus import Bus, Job, JobRunner
from voxbus.common.logs import get_logger
from voxbus.common.web import Limits as WebLimits
from voxbus.common.web import WebServer
from voxbus.scheduler import database
from voxbus.scheduler.agents import Agents
from voxbus.scheduler.api import REFUSED, Parts, make_app
from voxbus.scheduler.campaigns import Campaigns
from voxbus.scheduler.capacity import Capacity
from voxbus.scheduler.dialler import Dialler
from voxbus.scheduler.orders import Orders
from voxbus.scheduler.providers import Carrier
from voxbus.scheduler.providers.twilio import TwilioCarrier
from voxbus.scheduler.refusals import DoNotCallList
from voxbus.scheduler.reports import Reports
from voxbus.scheduler.settings import SchedulerSettings
from voxbus.scheduler.settle import Settler
from voxbus.scheduler.store import Limits, Stores

_EVENTS_AT_ONCE = 16

log = get_logger(__name__)


class Scheduler:
    """A ``voxbus.common.run.Service``. ``port`` is known once ``start`` has returned.

    ``claimed``: what lets other processes have the database, closed after the last use of it.
    """

    def __init__(
        self, settings: SchedulerSettings, bus: Bus, claimed: contextlib.ExitStack | None = None
    ) -> None:
        self._settings = settings
        self._bus = bus
        self._claimed = claimed
        self._engine = database.connect(settings.database)
        limits = Limits(
            interval_s=1 / settings.calls_per_second,
            most=settings.calls_in_air,
            over_s=settings.ring_timeout_s + settings.call_limit_s,
        )
        account = settings.twilio_account_sid or "none"
        self._stores = Stores.of(self._engine, account, settings.house, limits)
        self._capacity = Capacity(bus)
        self._carrier: Carrier | None = None
        self._dialler: Dialler | None = None
        self._runner: JobRunner | None = None
        self._loops: list[asyncio.Task[None]] = []
        self._server: WebServer | None = None
        self.port = 0

    async def start(self) -> None:
        settings = self._settings
        await database.migrate(self._engine)
        await self._stores.queue.open()
        missing = settings.missing_for_calls()
        if missing:
            log.warning("no call can be placed", not_set=missing)
        elif settings.twilio_auth_token is not None:
            self._carrier = TwilioCarrier(
                settings.twilio_account_sid,
                settings.twilio_auth_token.get_secret_value(),
                base_url=settings.twilio_api_url,
                timeout_s=settings.carrier_timeout_s,
            )
        settler = Settler(settings, self._bus, self._stores, self._carrier)
        self._runner = JobRunner(
            self._bus, "scheduler", settler.handle, capacity=_EVENTS_AT_ONCE, on_failure=_on_failure
        )
        await self._runner.start()
        self._loops.append(run.background(settler.sweep(), name="sweep"))
        if self._carrier is not None:
            self._dialler = Dialler(
                settings, self._bus, self._stores, self._capacity, self._carrier, settler.placed
            )
            self._loops.append(run.background(self._dialler.run(), name="dial"))
        await self._listen(settler)

    async def _listen(self, settler: Settler) -> None:
        settings, stores = self._settings, self._stores
        agents = Agents(self._bus)
        parts = Parts(
            Orders(settings, agents, stores, self._dialler, settler),
            Campaigns(settings, agents, stores, self._dialler),
            DoNotCallList(stores.refusals),
            Reports(settings, stores.book),
        )
        app = make_app(settings, parts, self.not_ready)
        limits = WebLimits(
            settings.max_connections, request_s=settings.request_seconds, unread_s=settings.request_seconds
        )
        server = self._server = WebServer(app, limits, lambda code: REFUSED.labels(code).inc())
        await server.start(settings.scheduler_host, settings.scheduler_port, "SCHEDULER")
        self.port = server.port
        log.info("listening", host=settings.scheduler_host, port=self.port)

    def not_ready(self) -> str:
        return "" if self._bus.connected else "NATS does not answer"

    async def drain(self) -> None:
        """Takes and dials no more; requests that have left are waited for, because only we know what they asked."""
        if self._server is not None:
            await self._server.stop()
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        if self._dialler is not None:
            await self._dialler.drain()
        if self._runner is not None:
            await self._runner.drain()
        if self._carrier is not None:
            await self._carrier.close()
        await self._engine.dispose()
        if self._claimed is not None:
            self._claimed.close()


def _on_failure(job: Job, error: Exception) -> None:
    # Not even handing the job over worked.
    log.error("event job failed", call_sid=job.event.call, kind=job.event.kind, error=error)


def build(settings: SchedulerSettings, bus: Bus) -> Scheduler:
    return Scheduler(settings, bus, database.claim(settings.database))
