"""What a provider's refusal means, whatever its shape: one classification for all of them.

    passing     rate_limited overloaded timeout server_error        the same again may succeed, soon
    permanent   auth quota not_found bad_request                    somebody has to do something about it first

Shapes: OpenAI, Together and Anthropic ``{"error": {type, code}}``; Cloudflare
``{"errors": [{code}]}``; Deepgram ``{err_code}`` and frames with ``{code}``; ElevenLabs ``{"detail": {status}}``;
Cartesia ``{error_code, status_code}``.
"""

from __future__ import annotations

import re
from typing import Any, Final

from voxbus.common import json_text
from voxbus.common.errors import ProviderError

#: Codes that another try will not change, whatever the status: OpenAI's, Cloudflare's spent allocation (3036), others'.
SPENT: Final = frozenset(
    """
    insufficient_quota credit_balance_exhausted organization_usage_limit_exceeded organization_spend_limit_exceeded
    project_spend_limit_exceeded billing_hard_limit_reached billing_error quota_exceeded 3036
    """.split()  # noqa: SIM905 - a list of words
)
#: What a code without a status means. The first that is a part of the code counts.
_NAMED: Final = {
    "rate_limit": 429, "concurrency": 429, "too_many": 429, "max_active": 429, "3040": 429,
    "overloaded": 503, "capacity": 503, "no_healthy": 503, "auth": 401, "api_key": 401, "permission": 403,
    "not_accessible": 403, "not_found": 404, "not_available": 404, "invalid_request": 400, "timeout": 504,
}  # fmt: skip
_CODE: Final = re.compile(r"[\w.-]{1,64}")
_STATUS: Final = re.compile(r"[45]\d\d")


def refusal(data: bytes, status: int) -> ProviderError:
    """For an HTTP response that is no success."""
    try:
        body = json_text.loads(data)
    except ValueError:
        body = None
    return error_in(body, status=status)


def error_in(body: Any, *, status: int = 0) -> ProviderError:
    """``status``: of the response; 0 for an error inside a stream, whose codes say what it would have been.

    The message holds codes only: what the server wrote may quote the request.
    """
    codes = _codes(body)
    cause, retry = cause_of(status or _status(codes), codes)
    return ProviderError(cause, " ".join([cause, *([str(status)] if status else []), *codes]), retry=retry)


def cause_of(status: int, codes: list[str]) -> tuple[str, bool]:
    """The cause, and whether another try may succeed."""
    if status == 402 or SPENT.intersection(codes):
        return "quota", False
    match status:
        case 429:
            return "rate_limited", True
        case 401 | 403:
            return "auth", False
        case 408 | 504:
            return "timeout", True
        case 503 | 529:
            return "overloaded", True
        case 404:
            return "not_found", False
    return ("server_error", True) if status >= 500 else ("bad_request", False)


def _codes(body: Any) -> list[str]:
    if not isinstance(body, dict):
        return []
    inner = body.get("error") or body.get("detail")
    errors = body.get("errors")
    if inner is None and isinstance(errors, list) and errors:
        inner = errors[0]
    found = inner if isinstance(inner, dict) else body
    keys = ("type", "code", "status", "err_code", "error_code", "status_code", "variant")
    # "type": "Error" only says that it is one.
    names = [str(found[key]) for key in keys if isinstance(found.get(key), str | int)]
    if isinstance(inner, str):
        names.append(inner)
    return list(
        dict.fromkeys(name for name in names if _CODE.fullmatch(name) and name.lower() not in ("error", "0"))
    )


def _status(codes: list[str]) -> int:
    for code in codes:
        if _STATUS.fullmatch(code):
            return int(code)
    lower = [code.lower() for code in codes]
    return next((status for code in lower for name, status in _NAMED.items() if name in code), 500)
