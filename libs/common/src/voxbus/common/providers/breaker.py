"""Who is asked after failures. A provider that failed rests; then one asker tries it, and the others wait for that.

    closed ---failure---> open ---rest over---> half-open ---first asker: the probe---> closed
                            ^                                                  |
                            +--------------- failure: it rests twice as long --+

How long depends on the cause: a spent quota lasts, load passes. A failure that is about one request alone (a filtered
text, a reply of nothing) opens nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from voxbus.common.errors import ProviderError

#: How long a provider rests after its first failure, in seconds by the cause.
REST_S: Final[Mapping[str, float]] = {
    "auth": 60.0, "quota": 60.0, "not_found": 60.0,
    "rate_limited": 2.0, "overloaded": 2.0, "server_error": 2.0, "connection": 2.0, "timeout": 2.0,
    "first_token_timeout": 2.0, "first_audio_timeout": 2.0, "stalled": 2.0, "paused": 2.0,
}  # fmt: skip
#: It is doubled with each failure in a row, up to this many times the first.
_LONGEST: Final = 16
#: A probe of which nothing was heard for so long is forgotten: its asker may be gone.
PROBE_S: Final = 10.0

State = Literal["closed", "open", "half_open"]


@dataclass
class _Circuit:
    rest_s: float
    until_s: float
    failures: int = 1
    probing_until_s: float = 0.0


class Breakers:
    """Of one worker's providers, by name. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._circuits: dict[str, _Circuit] = {}

    def state(self, name: str, now_s: float) -> State:
        circuit = self._circuits.get(name)
        if circuit is None:
            return "closed"
        return "open" if now_s < max(circuit.until_s, circuit.probing_until_s) else "half_open"

    def order(self, names: Sequence[str], now_s: float) -> tuple[str, ...]:
        """Those that rest come last, rather than never: they may be all there is."""
        return tuple(sorted(names, key=lambda name: self.state(name, now_s) == "open"))

    def asking(self, name: str, now_s: float) -> None:
        """``name`` is about to be asked: if that is the probe, nobody else makes one."""
        if (circuit := self._circuits.get(name)) is not None and self.state(name, now_s) == "half_open":
            circuit.probing_until_s = now_s + PROBE_S

    def succeeded(self, name: str) -> None:
        self._circuits.pop(name, None)

    def failed(self, name: str, failure: ProviderError, now_s: float) -> None:
        rest_s = REST_S.get(failure.cause, 0.0)
        circuit = self._circuits.get(name)
        if circuit is not None:
            circuit.probing_until_s = 0.0
        if not rest_s:
            return
        if circuit is None:
            self._circuits[name] = _Circuit(rest_s, now_s + rest_s)
            return
        if now_s < circuit.until_s:  # asked although it rests: it does not rest longer for that
            return
        circuit.failures += 1
        circuit.rest_s = max(rest_s, circuit.rest_s)
        circuit.until_s = now_s + circuit.rest_s * min(2 ** (circuit.failures - 1), _LONGEST)
