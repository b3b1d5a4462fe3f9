"""How much a stranger may ask: so many requests a second, for each address and in all.

Every request begins as a stranger's, and costs its address one. Whoever proves who it is (Twilio's signature, a token,
a secret) is given that back, so that a carrier is never locked out by its own calls; who fails, and fails again, is
answered 429 without a look at what it sends. Requests that bring something to prove themselves with are counted apart
from those that do not, and may be more: many of a carrier's may be on their way before the first of them is looked at,
and those who only try doors must not close them for a carrier behind the same proxy. Behind a trusted proxy the address
is the one that it names.

So that nobody takes all connections with requests that they only begin, an address may also have few of them at once
between head and proof.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from voxbus.common.web.limits import Rates, Seat, key_of
from voxbus.gateway.errors import Refused
from voxbus.gateway.urls import Network, client_of

#: Requests at once from an address that has been quiet, in seconds of its rate: a page with its files is one visit.
_BURST_S: Final = 5
#: What all addresses together may ask without a claim, for what one may.
_IN_ALL: Final = 20
#: What one address may ask with a claim, for what it may without.
_CLAIMING: Final = 10
#: The same for requests at once between head and proof: a carrier's bodies come after their heads, many in one moment.
_CLAIMING_AT_ONCE: Final = 2
#: And for an address that has proved itself before.
_KNOWN_AT_ONCE: Final = 10
#: So many of those addresses are remembered.
_KNOWN: Final = 1_000
#: Sockets that may wait for their ``start`` unproven, in all: they are gone after some seconds.
_WAITING: Final = 64

_ALL: Final = "all"


@dataclass(frozen=True)
class Allowance:
    """``per_address``: unproven requests a second; ``sockets``: unproven sockets of one address at once, and requests
    without a claim.
    """

    per_address: float = 20.0
    sockets: int = 50


class Visit:
    """One request, or one socket. ``prove`` and ``leave`` may come in any order, and more than once."""

    def __init__(self, doorman: Doorman, key: str, seat: Seat | None, *, claims: bool) -> None:
        self._doorman = doorman
        self._key = key
        self._seat = seat
        self._claims = claims
        self._proven = False
        self._waits = False
        self._begins = False

    def prove(self) -> None:
        if not self._proven:
            self._proven = True
            self._doorman.know(self._key, claims=self._claims)
            if self._seat is not None:
                self._seat.prove()
            self.leave()

    def begin(self) -> None:
        """Its head has been read, and nothing else yet. Raises Refused."""
        self._doorman.begin(self._key, claims=self._claims)
        self._begins = True

    def wait(self) -> None:
        """It becomes a socket, whose proof is still to come. Raises Refused."""
        self._doorman.wait(self._key)
        self._waits = True

    def leave(self) -> None:
        if self._waits:
            self._waits = False
            self._doorman.go(self._key)
        if self._begins:
            self._begins = False
            self._doorman.end(self._key)


class Doorman:
    def __init__(self, allowance: Allowance, trusted: tuple[Network, ...]) -> None:
        self._allowance = allowance
        self._trusted = trusted
        rate = allowance.per_address
        self._each = Rates(rate, rate * _BURST_S)
        self._claiming = Rates(rate * _CLAIMING, rate * _CLAIMING * _BURST_S)
        self._all = Rates(rate * _IN_ALL, rate * _IN_ALL * _BURST_S)
        self._waiting: Counter[str] = Counter()
        self._begun: Counter[str] = Counter()
        self._known: OrderedDict[str, None] = OrderedDict()

    def admit(self, headers: Mapping[str, str], peer: str, seat: Seat | None, now_s: float) -> Visit:
        """Names in ``headers`` are lower case. ``seat``: the place of the connection. Raises Refused."""
        client = client_of(headers, peer, self._trusted)
        key = key_of(client) if client else ""
        claims = "x-twilio-signature" in headers or "authorization" in headers
        if key and not (self._claiming if claims else self._each).take(key, now_s):
            raise Refused(429, "too_many_requests", "too many requests from this address", retry_after_s=1)
        if not claims and not self._all.take(_ALL, now_s):
            raise Refused(503, "overload", "too many requests; try again in a moment", retry_after_s=2)
        return Visit(self, key, seat, claims=claims)

    def know(self, key: str, *, claims: bool) -> None:
        """A request of it proved who it is, and is given back."""
        self._known[key] = None
        self._known.move_to_end(key)
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)
        (self._claiming if claims else self._each).give_back(key)
        if not claims:
            self._all.give_back(_ALL)

    def begin(self, key: str, *, claims: bool) -> None:
        """Raises Refused."""
        if not key:
            return
        times = (_KNOWN_AT_ONCE if key in self._known else _CLAIMING_AT_ONCE) if claims else 1
        if self._begun[key] >= self._allowance.sockets * times:
            raise Refused(429, "address_full", "too many requests at once from this address", retry_after_s=2)
        self._begun[key] += 1

    def end(self, key: str) -> None:
        if key:
            _less(self._begun, key)

    def wait(self, key: str) -> None:
        """Raises Refused."""
        if self._waiting.total() >= _WAITING:
            raise Refused(503, "overload", "too many sockets that have not begun", retry_after_s=2)
        if key and self._waiting[key] >= self._allowance.sockets:
            raise Refused(429, "address_full", "too many sockets from this address", retry_after_s=2)
        self._waiting[key] += 1

    def go(self, key: str) -> None:
        _less(self._waiting, key)


def _less(counts: Counter[str], key: str) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]
