"""The connections of a process, and everything that hangs on them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

import nats
from nats.aio.client import Client

from voxbus.common import subjects, telemetry
from voxbus.common.bus.archive import Archive
from voxbus.common.bus.audio_link import AudioLink
from voxbus.common.bus.buckets import Bucket
from voxbus.common.bus.config import BusConfig
from voxbus.common.bus.following import Follower, OnEvent, OpenLog
from voxbus.common.bus.log import Condition, Log
from voxbus.common.bus.requests import AnswerLost, Handler, Requests, answer
from voxbus.common.bus.subscription import Subscription
from voxbus.common.errors import BusUnavailable, LoginRefused, SubjectRefused
from voxbus.common.events import Event, Stored
from voxbus.common.subjects import AGENTS, CLIPS, CONTEXTS, LOST_REPORTS, TOKENS

_REFUSED = telemetry.counter(
    "bus_refused", "Messages and subscriptions that NATS refused for want of a right.", "verb", "subject"
)

OnProblem = Callable[[str, Exception | None], None]


def _log_problem(what: str, error: Exception | None) -> None:
    logging.getLogger(__name__).warning("%s", what, exc_info=error)


class Bus:
    """Two connections: events and requests on one, audio on the other, so that neither waits for the other.

    ``closed`` is set when a connection was closed for good by the server (a login that is no longer good, a protocol
    error): the process should end, its supervisor starts it again. ``on_problem(what, error)`` hears of everything that
    is not raised to a caller (slow consumers, lost and restored connections, subjects that we have no right to:
    SubjectRefused); it must not raise.
    """

    def __init__(self, config: BusConfig, on_problem: OnProblem = _log_problem) -> None:
        self.config = config
        self.closed = asyncio.Event()
        self._on_problem = on_problem
        self._closing = False
        self._opened: list[Client] = []
        self._reconnected: list[Callable[[], None]] = []
        self._control = Client()
        self._audio_connection = Client()
        self.requests = Requests(self._control, self._reconnected)
        self.log = Log(self._control, self.requests, self._reconnected)
        self.audio = AudioLink(self._audio_connection)
        self.contexts = Bucket(self._control, CONTEXTS, self._reconnected)
        self.tokens = Bucket(self._control, TOKENS, self._reconnected)
        self.agents = Bucket(self._control, AGENTS, self._reconnected)
        self.clips = Bucket(self._control, CLIPS, self._reconnected)
        self.lost_reports = Bucket(self._control, LOST_REPORTS, self._reconnected)
        self._archive = Archive(self._control)

    @classmethod
    async def connect(cls, config: BusConfig, on_problem: OnProblem = _log_problem) -> Bus:
        """Later losses are reconnected for ever.

        Raises BusUnavailable when no server answers now, LoginRefused when it does and does not take us.
        """
        bus = cls(config, on_problem)
        try:
            # The audio connection buffers nothing: what could not be sent at once is stale when it could be.
            await bus._open(bus._control, "control", pending_size=4 * 2**20)
            await bus._open(bus._audio_connection, "audio", pending_size=0)
        except LoginRefused:
            await bus.close()
            raise
        except (OSError, nats.errors.Error, TimeoutError) as error:
            await bus.close()
            raise BusUnavailable(f"no NATS server answers at {config.where}: {error}") from error
        return bus

    async def _open(self, client: Client, role: str, pending_size: int) -> None:
        refused = asyncio.Event()

        async def on_error(error: Exception) -> None:
            if _is_refused_login(error):
                refused.set()  # the client would try the same login for ever
                if client not in self._opened:
                    return  # connect() raises it
                self.closed.set()
            if _PERMISSIONS in str(error):
                self._on_problem("NATS refused a subject: this login has no right to it", _no_right(error))
            else:
                self._on_problem(f"{role} connection: {type(error).__name__}", error)

        async def on_disconnected() -> None:
            if not self._closing:
                self._on_problem(f"{role} connection lost", None)

        async def on_reconnected() -> None:
            self._on_problem(f"{role} connection restored", None)
            if client is self._control:
                for callback in tuple(self._reconnected):
                    callback()

        async def on_closed() -> None:
            if not self._closing:
                self.closed.set()

        config = self.config
        connecting = client.connect(
            config.servers,
            name=f"{config.name} {role}",
            error_cb=on_error,
            disconnected_cb=on_disconnected,
            reconnected_cb=on_reconnected,
            closed_cb=on_closed,
            pending_size=pending_size,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.2,  # type: ignore[arg-type]  # annotated int, slept as it is
            connect_timeout=config.connect_timeout_s,
            # A silent loss (no FIN) is noticed after 2 missed pings, not after the client's default of 6 minutes.
            ping_interval=3,
            max_outstanding_pings=2,
            **config.options(),
        )
        # The client's own first connect retries for ever; ours reports, and the run loop decides to retry.
        connected = asyncio.ensure_future(connecting)
        gave_up = asyncio.ensure_future(refused.wait())
        try:
            await asyncio.wait(
                (connected, gave_up),
                timeout=config.connect_timeout_s + 1,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not connected.done():
                raise LoginRefused(config.where) if refused.is_set() else TimeoutError
            await connected
        finally:
            connected.cancel()
            gave_up.cancel()
        self._opened.append(client)

    @property
    def connected(self) -> bool:
        return bool(self._control.is_connected and self._audio_connection.is_connected)

    @property
    def control(self) -> Client:
        """The connection of events and requests, for the job runner and the setup."""
        return self._control

    def on_reconnected(self, callback: Callable[[], None]) -> None:
        """``callback`` is called on the loop each time the control connection came back."""
        self._reconnected.append(callback)

    async def check(self) -> None:
        """Raises BusUnavailable unless the bus is set up."""
        await self.log.read("CA" + "0" * 32)

    async def ask(self, subject: str, request: bytes, timeout_s: float) -> bytes | None:
        """The answer of whoever answers on ``subject``; None when nobody does, or not in time."""
        try:
            message = await self.requests.ask(subject, request, timeout_s)
        except (nats.errors.Error, AnswerLost, TimeoutError):
            return None
        return None if message.headers and "Status" in message.headers else bytes(message.data)

    async def ask_all(self, subject: str, request: bytes, timeout_s: float) -> AsyncGenerator[bytes, None]:
        """The answers of all who answer on ``subject``, until none has come for ``timeout_s``. Nobody: none."""
        try:
            async with aclosing(self.requests.ask_many(subject, request, timeout_s)) as answers:
                async for message in answers:
                    if message.headers and "Status" in message.headers:
                        return
                    yield bytes(message.data)
        except (nats.errors.Error, AnswerLost, TimeoutError):
            return

    async def answer(self, subject: str, handler: Handler) -> Subscription:
        """``handler(request)`` is the answer to each request on ``subject``; None = none. It may be a coroutine's."""
        return await answer(self._control, subject, handler)

    async def append(self, event: Event, *, only_if: Condition | None = None) -> int:
        """See Log.append."""
        return await self.log.append(event, only_if=only_if)

    async def stored(self, event: Event) -> Stored | None:
        """See Log.stored."""
        return await self.log.stored(event)

    async def read_log(self, sid: str, *, through: int = 0, kinds: tuple[str, ...] = ()) -> list[Stored]:
        """See Log.read."""
        return await self.log.read(sid, through=through, kinds=kinds)

    async def open_log(self, sid: str, on_event: OnEvent) -> OpenLog:
        """See Log.open."""
        return await self.log.open(sid, on_event)

    async def follow(self, on_event: OnEvent, kinds: tuple[str, ...] = ()) -> Follower:
        """See Log.follow."""
        return await self.log.follow(on_event, kinds)

    async def purge_log(self, sid: str, *, through: int) -> None:
        """See Log.purge."""
        await self.log.purge(sid, through=through)

    async def archive(self, sid: str, log: Sequence[Stored]) -> None:
        """See Archive.put."""
        await self._archive.put(sid, log)

    async def read_archive(self, sid: str) -> list[Stored]:
        """See Archive.get."""
        return await self._archive.get(sid)

    async def purge_archive(self, sid: str) -> None:
        """See Archive.purge."""
        await self._archive.purge(sid)

    async def close(self) -> None:
        """Flushes and closes both connections. Jobs must have been drained before."""
        self._closing = True
        for client in (self._control, self._audio_connection):
            if client.is_connected:
                # Flushing tells the server what we said last; when it does not answer, closing is all that is left.
                with contextlib.suppress(nats.errors.Error, TimeoutError):
                    await client.flush(1)
            if not client.is_closed and client in self._opened:
                # With something unsent it writes to the transport, also to one that is gone; uvloop's then complain.
                with contextlib.suppress(nats.errors.Error, RuntimeError):
                    await client.close()


_PERMISSIONS = "permissions violation for "


def _is_refused_login(error: Exception) -> bool:
    return "authorization violation" in str(error).lower()


def _no_right(error: Exception) -> SubjectRefused:
    """The server's line, ``... for publish to "call.ca12.event.started.0"``, without what belongs to one call."""
    verb, _, rest = str(error).partition(_PERMISSIONS)[2].partition(" to ")
    refused = SubjectRefused(verb, subjects.shape_of(rest.split('"')[1]) if '"' in rest else "")
    _REFUSED.labels(refused.verb, refused.shape).inc()
    return refused
