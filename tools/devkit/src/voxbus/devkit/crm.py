"""A small example of somebody's own system, for an agent's tools to ask: a dentist's appointments, behind a token.

    GET  /patients/{number}/appointments/next   the next appointment; 404 for one who has none
    POST /patients/{number}/appointments        {"day", "time"}: it is moved there; once for each Idempotency-Key

async with Crm() as crm:
    crm.environment        what LLM workers read to find it, its token included
    crm.asked              the requests, as "GET +15550100001"
"""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from aiohttp import web

from voxbus.devkit.served import Served

#: The one number, of those kept free for fiction, that nobody has an appointment under.
STRANGER: Final = "+15550100199"
#: Who comes back for an answer does so soon.
_KEYS_KEPT: Final = 1000


@dataclass(frozen=True)
class Appointment:
    """As it is said aloud."""

    day: str = "Wednesday"
    time: str = "half past eight in the morning"
    provider: str = "Doctor Adams"


class Crm(Served):
    """``port``: 0 = a free one. ``token``: empty = at random. ``first``: everybody's appointment until it is moved."""

    def __init__(
        self,
        *,
        token: str = "",
        host: str = "127.0.0.1",
        port: int = 0,
        first: Appointment = Appointment(),
    ) -> None:
        super().__init__(host, port)
        self.token = token or secrets.token_urlsafe(24)
        self.first = first
        self.asked: list[str] = []
        self._moved: dict[str, Appointment] = {}
        self._answers: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._known], client_max_size=16384)
        app.add_routes(
            [
                web.get("/patients/{number}/appointments/next", self._next),
                web.post("/patients/{number}/appointments", self._move),
            ]
        )
        return app

    @property
    def environment(self) -> dict[str, str]:
        return {"CRM_URL": self.url, "CRM_TOKEN": self.token}

    @web.middleware
    async def _known(self, request: web.Request, handler: Any) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {self.token}".encode()):
            return _refusal(401, "this needs the bearer token")
        self.asked.append(f"{request.method} {request.match_info.get('number', '')}")
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _next(self, request: web.Request) -> web.Response:
        number = request.match_info["number"]
        if number == STRANGER:
            return _refusal(404, "nobody with this number has an appointment")
        return web.json_response(asdict(self._moved.get(number, self.first)))

    async def _move(self, request: web.Request) -> web.Response:
        key = request.headers.get("Idempotency-Key", "")
        if not key:
            return _refusal(400, "an Idempotency-Key is needed")
        if key in self._answers:
            return web.json_response(self._answers[key], status=201)
        try:
            asked = await request.json()
            day, time = asked["day"], asked["time"]
        except (ValueError, TypeError, KeyError):
            return _refusal(422, "day and time are needed")
        number = request.match_info["number"]
        moved = replace(self._moved.get(number, self.first), day=str(day), time=str(time))
        self._moved[number] = moved
        self._answers[key] = asdict(moved)
        if len(self._answers) > _KEYS_KEPT:
            self._answers.popitem(last=False)
        return web.json_response(asdict(moved), status=201)


def _refusal(status: int, detail: str) -> web.Response:
    return web.json_response({"detail": detail}, status=status)
