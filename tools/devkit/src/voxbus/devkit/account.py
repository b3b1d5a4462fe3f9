"""An account at the carrier, as far as a person has to set it up: is it there, which numbers has it, what do they call.

Source: https://www.twilio.com/docs/iam/api/account and
https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import httpx
from pydantic import BaseModel, ValidationError

TWILIO_API = "https://api.twilio.com"

_TIMEOUT_S = 10.0
_SHOWN = 5

T = TypeVar("T", bound=BaseModel)


class Trouble(Exception):
    """Something is wrong at the carrier. ``remedy``: what to do about it."""

    def __init__(self, text: str, remedy: str) -> None:
        super().__init__(text)
        self.text = text
        self.remedy = remedy


class View(BaseModel):
    """The account."""

    status: str = "active"
    type: str = "Full"

    @property
    def is_trial(self) -> bool:
        return self.type == "Trial"


class Capabilities(BaseModel):
    voice: bool = True


class Number(BaseModel):
    """One of the account's numbers, and what it calls."""

    sid: str
    phone_number: str
    capabilities: Capabilities = Capabilities()
    voice_url: str | None = ""
    voice_method: str | None = ""
    status_callback: str | None = ""
    status_callback_method: str | None = ""
    voice_application_sid: str | None = ""
    trunk_sid: str | None = ""


class _Numbers(BaseModel):
    incoming_phone_numbers: list[Number]


@dataclass(frozen=True)
class Account:
    """All methods raise Trouble."""

    sid: str
    token: str
    http: httpx.AsyncClient
    api_url: str = ""

    @property
    def where(self) -> str:
        return f"TWILIO_API_URL {self.api_url}" if self.api_url else "Twilio"

    async def view(self) -> View:
        view = _read(View, await self._ask("GET", ".json"))
        if view.status != "active":
            remedy = "its console says why, and what activates it again"
            raise Trouble(f"the account is {view.status}: it takes and places no calls", remedy)
        return view

    async def number(self, number: str) -> Number:
        """``number`` in E.164."""
        for one in await self._numbers({"PhoneNumber": number}):
            if one.phone_number == number:
                return one
        numbers = [one.phone_number for one in await self._numbers({"PageSize": str(_SHOWN)})]
        has = f"it has {', '.join(numbers)}" if numbers else "it has none: buy one that can do voice"
        remedy = f"{has}; or TWILIO_ACCOUNT_SID is another (sub)account than the number's"
        raise Trouble(f"{number} is not a number of this account", remedy)

    async def update(self, number: Number, changes: Mapping[str, str]) -> Number:
        return _read(Number, await self._ask("POST", f"/IncomingPhoneNumbers/{number.sid}.json", changes))

    async def _numbers(self, query: Mapping[str, str]) -> list[Number]:
        answer = await self._ask("GET", "/IncomingPhoneNumbers.json", query)
        return _read(_Numbers, answer).incoming_phone_numbers

    async def _ask(self, method: str, path: str, fields: Mapping[str, str] | None = None) -> httpx.Response:
        url = f"{(self.api_url or TWILIO_API).rstrip('/')}/2010-04-01/Accounts/{self.sid}{path}"
        form, query = (fields, None) if method == "POST" else (None, fields)
        try:
            answer = await self.http.request(
                method, url, params=query, data=form, auth=(self.sid, self.token), timeout=_TIMEOUT_S
            )
        except httpx.HTTPError as error:
            raise Trouble(
                f"{self.where} does not answer ({type(error).__name__})", "is it reachable?"
            ) from None
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            text = f"{self.where} refuses TWILIO_ACCOUNT_SID with TWILIO_AUTH_TOKEN"
            raise Trouble(text, "copy both from the start page of Twilio's console")
        if not answer.is_success:
            text = f"{self.where} answers {answer.status_code} when asked about the account{_message(answer)}"
            raise Trouble(text, "is it active, and are these its live credentials?")
        return answer


class _Error(BaseModel):
    code: int
    message: str


def _message(answer: httpx.Response) -> str:
    try:
        error = _Error.model_validate_json(answer.content)
    except ValidationError:
        return ""
    return f": {error.message} (error {error.code})"


def _read(kind: type[T], answer: httpx.Response) -> T:
    try:
        return kind.model_validate_json(answer.content)
    except ValidationError:
        text = f"{answer.request.url.host} answers something that is no {kind.__name__.strip('_').lower()}"
        raise Trouble(text, "is TWILIO_API_URL right?") from None
