"""When a child process is started in the place of one that died."""

from __future__ import annotations

from typing import Final

_WAITS_S: Final = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
#: One that did not live so long most likely died of what the next one will meet, too.
_EARLY_S: Final = 10.0


class Restarts:
    """The first one at once, then 0.2 / 0.5 / 1 / 2 / 5 s later, until one has lived for 10 s."""

    def __init__(self) -> None:
        self._failed = 0

    def died(self, lived_s: float) -> None:
        """Or did not come up: then it lived for 0 s."""
        self._failed = self._failed + 1 if lived_s < _EARLY_S else 0

    @property
    def wait_s(self) -> float:
        return _WAITS_S[min(max(self._failed - 1, 0), len(_WAITS_S) - 1)]
