"""What came of asking a tool, in words for a model. A model that knows why can tell the caller, or ask otherwise."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from voxbus.common.json_text import loads

Cause = Literal[
    "ok",
    "arguments",
    "not_allowed",
    "timeout",
    "connection",
    "not_sent",
    "broken_off",
    "redirect",
    "client_error",
    "server_error",
    "too_large",
    "malformed",
    "misconfigured",
    "unconfirmed",
    "unknown",
]

_WORDS: Final[Mapping[Cause, str]] = {
    "not_allowed": "Failed: the system's address is not one that may be asked. Asking again will not help.",
    "timeout": "Failed: no answer in time. It may have been done all the same.",
    "connection": "Failed: the system cannot be reached.",
    "not_sent": "Not done: the request cannot be sent as it is.",
    "broken_off": "Failed: the line broke off before the answer came. It may have been done all the same.",
    "redirect": "Failed: the system answers from another address, which may not be asked.",
    "server_error": "Failed: the system has a fault of its own. It may have been done all the same.",
    "too_large": "Failed: the answer is too long to be used. Ask for less, if that is possible.",
    "malformed": "Failed: the system's answer cannot be read. It may have been done all the same.",
    "misconfigured": "Failed: the system is not set up rightly. Asking again will not help.",
}
#: Of what a system says about a request that it does not take.
_REASON_CHARACTERS: Final = 600


@dataclass(frozen=True)
class Outcome:
    """``text``: for the model. ``cause`` is short, stable and free of user data: it goes into metrics and logs."""

    cause: Cause
    text: str

    @property
    def ok(self) -> bool:
        return self.cause == "ok"


def failed(cause: Cause) -> Outcome:
    return Outcome(cause, _WORDS[cause])


def unfit(faults: list[str]) -> Outcome:
    """The arguments are not what the tool takes: nothing was asked."""
    told = "; ".join(faults)
    return Outcome(
        "arguments", f"Not done, the arguments are wrong: {told}. Correct them, or ask the caller."
    )


def answered(status: int, content_type: str, body: bytes) -> Outcome:
    """An answer of a server, whole."""
    if 300 <= status < 400:
        return failed("redirect")
    if status >= 500:
        return failed("server_error")
    text = _text(content_type, body)
    if status >= 400:
        reason = f": {text[:_REASON_CHARACTERS]}" if text else ""
        return Outcome("client_error", f"Failed: the system does not take it ({status}){reason}")
    if text is None:
        return failed("malformed")
    return Outcome("ok", text or "Done.")


def _text(content_type: str, body: bytes) -> str | None:
    """None when it is neither JSON nor text."""
    kind = content_type.partition(";")[0].strip().lower()
    try:
        text = body.decode("utf-8").strip()
        if text and (kind == "application/json" or kind.endswith("+json")):
            return json.dumps(loads(text), ensure_ascii=False, separators=(",", ":"))
    except ValueError:
        return None
    return text if not text or kind.startswith("text/") else None
