"""The backend of the reports: remembers what it got, and passes it on to the scheduler."""

from __future__ import annotations

import hashlib
import time
from collections import Counter, defaultdict

import httpx

from voxbus.common import signing
from voxbus.devkit.carrier.http import HttpServer, Request, Response
from voxbus.devkit.chaos.facts import Delivered

_PASSED_ON = (signing.SIGNATURE, signing.TIMESTAMP, "idempotency-key", "content-type")
_TIMEOUT_S = 5.0


class Backend:
    """``async with Backend(secret) as backend: backend.url``. ``behind``: the URL of who keeps the reports, empty =
    nobody."""

    def __init__(self, secret: str) -> None:
        self._secrets = signing.secrets_of(secret)
        self._server = HttpServer(self._take)
        self._requests: Counter[str] = Counter()
        self._bodies: dict[str, set[str]] = defaultdict(set)
        self._taken: set[str] = set()
        self.behind = ""

    @property
    def url(self) -> str:
        return self._server.url

    async def __aenter__(self) -> Backend:
        self._http = httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT_S)
        await self._server.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._server.__aexit__(*error)
        await self._http.aclose()

    def delivered(self) -> dict[str, Delivered]:
        """By CallSid."""
        return {
            sid: Delivered(count, len(self._bodies[sid]), sid in self._taken)
            for sid, count in self._requests.items()
        }

    async def _take(self, request: Request) -> Response:
        timestamp, signature = (request.headers.get(name) for name in (signing.TIMESTAMP, signing.SIGNATURE))
        try:
            signing.verify(self._secrets, timestamp, signature, request.body, time.time())
        except signing.SignatureError as error:
            return Response(401, str(error).encode(), "text/plain")
        sid = request.headers.get("idempotency-key", "")
        self._requests[sid] += 1
        self._bodies[sid].add(hashlib.sha256(request.body).hexdigest())
        response = await self._pass_on(request) if self.behind else Response(200, b"{}")
        if 200 <= response.status < 300:
            self._taken.add(sid)
        return response

    async def _pass_on(self, request: Request) -> Response:
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        try:
            answer = await self._http.post(self.behind + request.path, content=request.body, headers=headers)
        except httpx.HTTPError:
            return Response(502, b"", "text/plain")
        return Response(answer.status_code, answer.content)
