"""Frames and chunks of JSON."""

from __future__ import annotations

import json
from typing import Any

from voxbus.common.errors import ProviderError


def frame(message: str | bytes) -> dict[str, Any]:
    """A JSON frame. Raises ProviderError for what is none."""
    try:
        found = json.loads(message)
    except ValueError:
        raise ProviderError("malformed", "a frame that is not JSON") from None
    if not isinstance(found, dict):
        raise ProviderError("malformed", "a frame that is not an object")
    return found
