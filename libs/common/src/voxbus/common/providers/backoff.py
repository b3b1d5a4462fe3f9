"""How long to wait before another try at a connection."""

from __future__ import annotations

from typing import Final

from voxbus.common.errors import ProviderError

#: A line that was cut is opened again at once: most often the other end was restarted, and a caller is speaking.
_CUT_S: Final = 0.1
_FIRST_S: Final = 1.0
_LONGEST_S: Final = 8.0
#: What somebody must repair first is still tried, for the length of a call.
_PERMANENT_S: Final = 30.0


def wait_s(failure: ProviderError, tries: int, chance: float) -> float:
    """``tries``: how many failed in a row, this one included. ``chance``: 0..1, so that not all come back at once.

    A cut line 0.1 s, then, and for a refusal, 1 / 2 / 4 / 8 s; each up to a quarter longer.
    """
    if not failure.retry:
        base_s = _PERMANENT_S
    elif failure.cause in ("connection", "cut_off", "malformed") and tries == 1:
        base_s = _CUT_S
    else:
        base_s = min(_FIRST_S * 2 ** (tries - 1), _LONGEST_S)
    return base_s * (1 + chance / 4)
