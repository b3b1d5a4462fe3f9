"""JSON that strangers write: models, vendors, and the systems that tools ask."""

from __future__ import annotations

import json
from typing import Any, Final

#: What is nested deeper is nobody's data, and more than what walks it later can bear.
_MAX_DEPTH: Final = 100


def loads(text: str | bytes) -> Any:
    """What can be written again as UTF-8: half of a surrogate pair (``\\ud83d``) becomes a question mark. Raises
    ValueError for what is no JSON, or nested too deep.
    """
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    level = [found]
    for _ in range(_MAX_DEPTH):
        level = [inner for value in level for inner in _inside(value) if isinstance(inner, dict | list)]
        if not level:
            break
    else:
        raise ValueError("nested too deep")
    if ("\\u" in text) if isinstance(text, str) else (b"\\u" in text):
        return json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
    return found


def _inside(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
