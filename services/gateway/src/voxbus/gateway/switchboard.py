"""Every stream of this gateway, and what they share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from voxbus.common.bus import Bus
from voxbus.common.errors import InvalidCallSid
from voxbus.common.logs import get_logger
from voxbus.common.subjects import check_sid
from voxbus.common.web import Seat
from voxbus.gateway import metrics
from voxbus.gateway.agents import Catalog
from voxbus.gateway.clipbox import ClipBox
from voxbus.gateway.core_closing import Limits
from voxbus.gateway.core_doorman import Doorman, Visit
from voxbus.gateway.errors import Refused
from voxbus.gateway.gate import Gate
from voxbus.gateway.outlet import Outlet
from voxbus.gateway.publisher import Unsent
from voxbus.gateway.recording import Recordings
from voxbus.gateway.stream import Stream
from voxbus.gateway.ticker import Ticker

log = get_logger(__name__)

STREAM_PATH = "/twilio/stream/"
ALIASES = ("/media-stream", "/stream")
#: The browser phone's.
VOICE_PATH = "/voice"


@dataclass(frozen=True)
class Entry:
    """An upgrade request that is granted. ``sid``: the CallSid of its URL, or empty. ``minted``: ``start`` must bring a
    token of ours. ``visit``: whose it is.
    """

    sid: str
    minted: bool
    visit: Visit


@dataclass
class Switchboard:
    """``draining``: no new stream is taken. ``successor``: another gateway takes them.

    ``max_streams``: more are refused, so that those that run stay well.
    """

    bus: Bus
    catalog: Catalog
    gate: Gate
    clips: ClipBox
    ticker: Ticker
    recordings: Recordings
    doorman: Doorman
    limits: Limits
    max_streams: int
    slow_client_s: float
    streams: set[Stream] = field(default_factory=set)
    unsent: Unsent = field(default_factory=Unsent)
    draining: bool = False
    successor: bool = False

    @property
    def stops_alone(self) -> bool:
        """Whoever comes now must wait for what is started in our place."""
        return self.draining and not self.successor

    def not_ready(self) -> str:
        """Why no calls should be sent here, in one line; empty = they may come."""
        if self.draining:
            return "draining"
        return "" if self.bus.connected else "NATS does not answer"

    def check(self, target: str, headers: Mapping[str, str], peer: str, seat: Seat | None = None) -> Entry:
        """Raises Refused: the answer to the upgrade request."""
        visit = self.doorman.admit(headers, peer, seat, time.monotonic())
        path = unquote(target.partition("?")[0])
        sid = ""
        if path == VOICE_PATH:
            self._refuse_when_draining()
            self.refuse_when_full()
            self.gate.phone.check_script(headers, peer, acts=True)
            visit.wait()  # for ``start``, with a token
            return Entry("", minted=True, visit=visit)
        if path.startswith(STREAM_PATH):
            try:
                sid = check_sid(path.removeprefix(STREAM_PATH).removesuffix("/"))
            except InvalidCallSid as error:
                raise Refused(400, error.code, f"the URL's last part is {error}") from None
        elif path.removesuffix("/") not in ALIASES:
            raise Refused(404, "no_such_path", "no media stream here; see /twilio/stream/{CallSid}")
        self._refuse_when_draining()
        self.refuse_when_full()
        self.gate.check_handshake(self.gate.origin(headers, peer), target, headers)
        visit.prove()
        return Entry(sid, minted=bool(sid), visit=visit)

    def open(self, outlet: Outlet, entry: Entry) -> Stream:
        return Stream(self, outlet, entry)

    def _refuse_when_draining(self) -> None:
        if self.draining:
            raise Refused(503, "draining", "this gateway stops; ask another one", retry_after_s=1)

    def refuse_when_full(self) -> None:
        """Raises Refused."""
        if len(self.streams) >= self.max_streams:
            raise Refused(503, "no_room", "this gateway has as many calls as it may", retry_after_s=5)

    async def hand_over(self, within_s: float) -> int:
        """Closes every stream as soon as nothing is being said on it, so that the calls go on elsewhere."""
        self.draining = True
        streams = tuple(self.streams)
        by_ms = self.ticker.now_ms() + within_s * 1000
        for stream in streams:
            stream.hand_over(by_ms)
        await asyncio.gather(*(stream.done.wait() for stream in streams))
        return len(streams)


def refused(error: Refused) -> None:
    """Counts a request that was refused, and says so once in the log: not of those of whom there may be thousands."""
    metrics.BAD_REQUESTS.labels(error.code).inc()
    say = log.debug if error.status == 429 or error.code == "overload" else log.warning
    say("a request was refused", code=error.code, status=error.status, error=error)
