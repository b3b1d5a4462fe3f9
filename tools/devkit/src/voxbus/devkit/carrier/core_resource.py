"""A call as the carrier's REST API shows it, and what the API says when it will not.

Source: https://www.twilio.com/docs/voice/api/call-resource and https://www.twilio.com/docs/api/errors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

TERMINAL = frozenset({"completed", "busy", "no-answer", "canceled", "failed"})

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")

#: HTTP status and text by code; ``{}`` is what was sent.
_ERRORS = {
    20003: (401, "Authenticate"),
    20404: (404, "The requested resource {} was not found"),
    20429: (429, "Too many concurrent requests"),
    21201: (400, "No 'To' number is specified"),
    21205: (400, "Url is not a valid URL: {}"),
    21210: (400, "The source phone number provided, {}, is not yet verified for your account."),
    21211: (400, "Invalid 'To' Phone Number: {}"),
    21214: (400, "'To' phone number cannot be reached: {}"),
    21215: (400, "Account not authorized to call {}"),
    21220: (400, "Call is not in-progress. Cannot redirect."),
    21218: (400, "Invalid Call Status: {}"),
    21502: (400, "VoiceUrl is not valid: {}"),
    22005: (400, "Call Queue Full"),
}


class ApiError(Exception):
    """The API's refusal ``code``."""

    def __init__(self, code: int, about: str = "") -> None:
        self.code = code
        self.status, text = _ERRORS[code]
        self.text = text.format(about)
        super().__init__(self.text)

    def body(self) -> bytes:
        more = f"https://www.twilio.com/docs/errors/{self.code}"
        return json.dumps(
            {"code": self.code, "message": self.text, "more_info": more, "status": self.status}
        ).encode()


@dataclass
class Resource:
    """``created_s``, ``started_s``, ``ended_s``: Unix seconds; 0 = not yet. ``form``: what the request asked for."""

    sid: str
    account_sid: str
    form: Mapping[str, str]
    created_s: float
    status: str = "queued"
    started_s: float = 0.0
    ended_s: float = 0.0
    answered_by: str = ""
    events: list[str] = field(default_factory=list)

    @property
    def to(self) -> str:
        return self.form["To"]

    @property
    def from_number(self) -> str:
        return self.form["From"]

    def view(self) -> dict[str, Any]:
        path = f"/2010-04-01/Accounts/{self.account_sid}/Calls/{self.sid}"
        duration = str(round(self.ended_s - self.started_s)) if self.started_s and self.ended_s else None
        return {
            "sid": self.sid,
            "account_sid": self.account_sid,
            "api_version": "2010-04-01",
            "to": self.to,
            "to_formatted": self.to,
            "from": self.from_number,
            "from_formatted": self.from_number,
            "status": self.status,
            "direction": "outbound-api",
            "answered_by": self.answered_by or None,
            "date_created": formatdate(self.created_s),
            "date_updated": formatdate(self.ended_s or self.started_s or self.created_s),
            "start_time": formatdate(self.started_s) if self.started_s else None,
            "end_time": formatdate(self.ended_s) if self.ended_s else None,
            "duration": duration,
            "queue_time": "0",
            "price": None,
            "price_unit": "USD",
            "parent_call_sid": None,
            "phone_number_sid": None,
            "caller_name": None,
            "forwarded_from": None,
            "group_sid": None,
            "trunk_sid": None,
            "annotation": None,
            "uri": f"{path}.json",
            "subresource_uris": {},
        }


def check_order(form: Mapping[str, str], own_numbers: frozenset[str]) -> None:
    """Raises ApiError for what cannot be dialled. ``own_numbers`` empty: any may be called from."""
    to, from_number, url = form.get("To", ""), form.get("From", ""), form.get("Url", "")
    if not to:
        raise ApiError(21201)
    if _E164.fullmatch(to) is None:
        raise ApiError(21211, to)
    if own_numbers and from_number not in own_numbers:
        raise ApiError(21210, from_number)
    if not re.match(r"https?://[^/]+", url):
        raise ApiError(21205, url)


def page(calls: list[Resource], uri: str, size: int) -> dict[str, Any]:
    """A page of a list: the newest first, and never a second page."""
    shown = sorted(calls, key=lambda call: call.created_s, reverse=True)[:size]
    return {
        "calls": [call.view() for call in shown],
        "page": 0,
        "page_size": size,
        "start": 0,
        "end": max(0, len(shown) - 1),
        "uri": uri,
        "first_page_uri": uri,
        "next_page_uri": None,
        "previous_page_uri": None,
    }
