"""The carrier's HTTP side: signed requests for TwiML, and signed notices."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit, urlunsplit

import httpx

from voxbus.devkit.carrier.core_twiml import Method
from voxbus.devkit.carrier.route import Route
from voxbus.devkit.carrier.signing import HEADER, sign

#: Twilio gives a webhook 15 s (https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides).
TIMEOUT_S = 15.0

#: Debugger code of "the webhook did not answer with TwiML" (https://www.twilio.com/docs/api/errors/11200).
RETRIEVAL_FAILURE = 11200


class RetrievalError(Exception):
    """No usable answer. ``status`` is 0 when there was none at all."""

    code = RETRIEVAL_FAILURE

    def __init__(self, url: str, status: int, why: str) -> None:
        super().__init__(f"{RETRIEVAL_FAILURE}: {url}: {why}")
        self.status = status


class Webhooks:
    """``auth_token`` empty: requests go out unsigned."""

    def __init__(self, http: httpx.AsyncClient, auth_token: str, route: Route) -> None:
        self._http = http
        self._auth_token = auth_token
        self._route = route

    async def request(self, url: str, method: Method, form: Mapping[str, str]) -> str:
        """The body of the answer. Raises RetrievalError for all but a 2xx."""
        if method == "GET":
            url, form = _with_query(url, form), {}
        response = None
        why = "no answer"
        for address in self._route.addresses(url):
            headers = {"User-Agent": "TwilioProxy/1.1", **address.headers}
            if self._auth_token:
                headers[HEADER] = sign(self._auth_token, url, form)
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    response = await self._http.request(
                        method, address.url, data=form or None, headers=headers
                    )
                break
            except (httpx.HTTPError, TimeoutError) as error:
                why = type(error).__name__  # another backend may be up
        if response is None:
            raise RetrievalError(url, 0, why)
        if not response.is_success:
            raise RetrievalError(url, response.status_code, f"{response.status_code} {response.text[:200]}")
        return response.text


def _with_query(url: str, fields: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, urlencode(fields))))
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))
