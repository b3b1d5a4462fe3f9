"""How much of a server one address may have, and all of them together. Times are parameters here.

An address is held to account only for what nobody can vouch for: a connection or a request that proved who it is (by a
signature, a token, a secret) counts in all, and against no address. So a carrier that sends a hundred calls a second
from one address is never locked out, however little strangers may have.
"""

from __future__ import annotations

import ipaddress
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

#: Addresses that are remembered. Whoever comes from more of them than this is limited by what is counted in all.
_KEPT: Final = 10_000

#: So many connections over the limit are still told so, and as many more as a tenth of the limit.
_ANSWERED: Final = 10

Why = Literal["full", "address_full"]


def _nobody(_address: str) -> bool:
    return False


@dataclass(frozen=True)
class Limits:
    """``connections`` at once in all. ``per_address``: of those, unproven ones of one address; 0 = any number.

    ``request_s``: until a request has come in whole. ``unread_s``: how long an answer may wait to be read.
    ``is_proxy``: an address that stands for many others, and is not held to account for them.
    """

    connections: int = 2000
    per_address: int = 0
    request_s: float = 10.0
    unread_s: float = 10.0
    is_proxy: Callable[[str], bool] = _nobody


def key_of(address: str) -> str:
    """What counts as one address: of IPv6 the /64, which is what one customer is given at least."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(ip, ipaddress.IPv4Address):
        return address
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.IPv6Network((ip, 64), strict=False))


class Seat:
    """One connection. ``refused``: why it is answered nothing but that."""

    def __init__(self, house: House, key: str, refused: Why | None) -> None:
        self._house = house
        self._key = key
        self._here = True
        self.refused = refused

    def prove(self) -> None:
        """Whoever is on it is known: it counts against its address no more."""
        self._house.forget(self._key)
        self._key = ""

    def leave(self) -> None:
        if self._here:
            self._here = False
            self.prove()
            self._house.open -= 1


class House:
    """All connections of a server. ``open``: how many there are."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.open = 0
        self._of: Counter[str] = Counter()

    def enter(self, address: str) -> Seat | None:
        """None: there are so many that even an answer is too much."""
        limits = self.limits
        if self.open >= limits.connections + limits.connections // 10 + _ANSWERED:
            return None
        self.open += 1
        key = "" if not limits.per_address or limits.is_proxy(address) else key_of(address)
        if key:
            self._of[key] += 1
        if self.open > limits.connections:
            return Seat(self, key, "full")
        return Seat(self, key, "address_full" if key and self._of[key] > limits.per_address else None)

    def forget(self, key: str) -> None:
        if key:
            self._of[key] -= 1
            if not self._of[key]:
                del self._of[key]


class Rates:
    """So many a second for each key, and ``burst`` at once for one that has been quiet."""

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._left: OrderedDict[str, tuple[float, float]] = (
            OrderedDict()
        )  # key -> (how many, at what time in s)

    def take(self, key: str, now_s: float) -> bool:
        """Whether there was one left."""
        left, at_s = self._left.get(key, (self._burst, now_s))
        left = min(self._burst, left + (now_s - at_s) * self._per_s)
        granted = left >= 1
        self._left[key] = (left - granted, now_s)
        self._left.move_to_end(key)
        if len(self._left) > _KEPT:
            self._left.popitem(last=False)
        return granted

    def give_back(self, key: str) -> None:
        if key in self._left:
            left, at_s = self._left[key]
            self._left[key] = (min(self._burst, left + 1), at_s)
