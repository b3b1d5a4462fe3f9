"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: ``missing``: works without it, but cannot do that; ``broken``: set, and wrong.
Verdict = Literal["ok", "missing", "broken"]


@dataclass(frozen=True)
class Finding:
    """``text`` is what was seen; ``remedy`` what to do about it, empty when there is nothing to do."""

    capability: str
    verdict: Verdict
    text: str
    remedy: str = ""
