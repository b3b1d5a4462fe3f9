"""Twilio's REST API, through its own library."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import ClientConnectorError, ClientError, ClientSession, DummyCookieJar, TCPConnector
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client
from twilio.rest.api.v2010.account.call import CallInstance

from voxbus.scheduler.core_carrier import Answer, Listed, NotSent, Placed, Unclear, judge
from voxbus.scheduler.providers import CarrierUnavailable, Dial

_EVENTS: Final = ["initiated", "ringing", "answered", "completed"]


class _Http(AsyncTwilioHttpClient):  # type: ignore[misc]  # twilio ships no types
    """A connection for each request.

    A kept one may be closed by the other side just as we write: then nobody knows whether the request arrived. At a
    call a second a handshake costs nothing.
    """

    def __init__(self) -> None:
        super().__init__(pool_connections=False)
        connector = TCPConnector(force_close=True)
        self.session = ClientSession(connector=connector, cookie_jar=DummyCookieJar())


class TwilioCarrier:
    """``base_url`` empty: Twilio itself. Must be made inside a running event loop."""

    def __init__(self, account_sid: str, auth_token: str, *, base_url: str, timeout_s: float) -> None:
        self._http = _Http()
        self._timeout_s = timeout_s
        # The library's own retries would send a POST again: they stay off, and so does its timeout, which it ignores.
        self._client = Client(account_sid, auth_token, http_client=self._http)
        if base_url:
            self._client.api.base_url = base_url.rstrip("/")

    async def create(self, dial: Dial) -> Answer:
        try:
            async with asyncio.timeout(self._timeout_s):
                call = await self._client.calls.create_async(
                    to=dial.to,
                    from_=dial.from_number,
                    url=dial.url,
                    method="POST",
                    status_callback=dial.status_url,
                    status_callback_event=_EVENTS,
                    status_callback_method="POST",
                    timeout=dial.ring_s,
                    time_limit=dial.limit_s,
                    **_detection(dial),
                )
        except TimeoutError:
            return Unclear("no answer in time")
        except ClientConnectorError as error:
            return NotSent(type(error).__name__)
        except ClientError as error:
            return Unclear(type(error).__name__)
        except TwilioRestException as error:
            return judge(error.status, error.code, error.msg)
        except TwilioServiceException as error:  # the newer kind of error body (RFC 9457)
            return judge(error.status, error.code, error.title)
        except ValueError:
            return Unclear("an answer that is not JSON")
        return Placed(call.sid) if call.sid else Unclear("an answer without a call")

    async def calls(self, to: str, from_number: str) -> list[Listed]:
        try:
            async with asyncio.timeout(self._timeout_s):
                found = await self._client.calls.list_async(to=to, from_=from_number, limit=50)
        except (TimeoutError, ClientError, TwilioException, ValueError) as error:
            raise CarrierUnavailable(type(error).__name__) from error
        return [_listed(call) for call in found if str(call.direction).startswith("outbound-api")]

    async def call(self, call_sid: str) -> Listed | None:
        try:
            async with asyncio.timeout(self._timeout_s):
                return _listed(await self._client.calls(call_sid).fetch_async())
        except TwilioRestException as error:
            if error.status == 404:
                return None
            raise CarrierUnavailable(f"HTTP {error.status}") from error
        except (TimeoutError, ClientError, TwilioException, ValueError) as error:
            raise CarrierUnavailable(type(error).__name__) from error

    async def hang_up(self, call_sid: str) -> bool:
        try:
            async with asyncio.timeout(self._timeout_s):
                # `canceled` would leave alone a call that is answered in this moment.
                await self._client.calls(call_sid).update_async(status="completed")
        except TwilioRestException as error:
            if 400 <= error.status < 500 and error.status not in (401, 403, 408, 429):
                return False
            raise CarrierUnavailable(f"HTTP {error.status}") from error
        except (TimeoutError, ClientError, TwilioException, ValueError) as error:
            raise CarrierUnavailable(type(error).__name__) from error
        return True

    async def close(self) -> None:
        await self._http.close()


def _detection(dial: Dial) -> dict[str, str]:
    """Asynchronous, or the callee would hear nothing until it is over. https://www.twilio.com/docs/voice/answering-machine-detection"""
    if not dial.detection:
        return {}
    return {
        "machine_detection": "DetectMessageEnd" if dial.detection == "greeting_end" else "Enable",
        "async_amd": "true",
        "async_amd_status_callback": dial.detection_url,
        "async_amd_status_callback_method": "POST",
    }


def _listed(call: CallInstance) -> Listed:
    created = call.date_created.timestamp() if call.date_created is not None else 0.0
    return Listed(call.sid or "", str(call.status), created)
