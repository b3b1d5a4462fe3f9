"""Frames and chunks of JSON."""

from __future__ import annotations

from typing import Any

from voxbus.common.errors import ProviderError
from voxbus.common.json_text import loads


def frame(message: str | bytes) -> dict[str, Any]:
    """A JSON frame. Raises ProviderError for what is none."""
    try:
        found = loads(message)
    except ValueError:
        raise ProviderError("malformed", "a frame that is not JSON") from None
    if not isinstance(found, dict):
        raise ProviderError("malformed", "a frame that is not an object")
    return found
