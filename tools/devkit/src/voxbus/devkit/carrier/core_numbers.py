"""The account's telephone numbers, as the REST API shows and changes them.

Source: https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from voxbus.devkit.carrier.core_resource import ApiError
from voxbus.devkit.carrier.http import Request

#: What an update may change, and what each is called in the answer.
_FIELDS: Final = {
    "VoiceUrl": "voice_url",
    "VoiceMethod": "voice_method",
    "StatusCallback": "status_callback",
    "StatusCallbackMethod": "status_callback_method",
    "VoiceApplicationSid": "voice_application_sid",
}


@dataclass
class IncomingNumber:
    """``settings``: what it calls, by the names of the answer."""

    phone_number: str
    voice: bool = True
    trunk_sid: str | None = None
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def sid(self) -> str:
        return "PN" + hashlib.sha256(self.phone_number.encode()).hexdigest()[:32]

    def view(self) -> dict[str, Any]:
        methods = {"voice_method": "POST", "status_callback_method": "POST"}
        return {
            "sid": self.sid,
            "phone_number": self.phone_number,
            "friendly_name": self.phone_number,
            "capabilities": {"voice": self.voice, "sms": False, "mms": False, "fax": False},
            "trunk_sid": self.trunk_sid,
            **{name: self.settings.get(name, methods.get(name, "")) for name in _FIELDS.values()},
        }


def answer_numbers(numbers: Mapping[str, IncomingNumber], request: Request, path: str) -> dict[str, Any]:
    """``path``: behind ``/IncomingPhoneNumbers``. Raises ApiError."""
    if path == ".json":
        wanted = request.query.get("PhoneNumber")
        size = int(request.query.get("PageSize", "50"))
        found = [one.view() for one in numbers.values() if wanted in (None, one.phone_number)]
        return {"incoming_phone_numbers": found[:size], "page": 0, "page_size": size, "next_page_uri": None}
    number = numbers.get(path.removeprefix("/").removesuffix(".json"))
    if number is None:
        raise ApiError(20404, request.path)
    if request.method == "POST":
        url = request.form.get("VoiceUrl", "")
        if url and not re.match(r"https?://[^/]+", url):
            raise ApiError(21502, url)
        number.settings |= {_FIELDS[name]: value for name, value in request.form.items() if name in _FIELDS}
    return number.view()
