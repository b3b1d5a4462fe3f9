"""The carrier's REST API: the account; its numbers (list, update); its calls (create, update, fetch, list); and its
ways to fail.

async with Exchange(auth_token="t") as exchange, RestApi(exchange) as api:
    api.faults.append(too_many())
    client.api.base_url = api.url
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, cast, get_args

from voxbus.devkit.carrier.core_numbers import IncomingNumber, answer_numbers
from voxbus.devkit.carrier.core_resource import TERMINAL, ApiError, Resource, check_order, page
from voxbus.devkit.carrier.exchange import Exchange, Outgoing
from voxbus.devkit.carrier.faults import Fault
from voxbus.devkit.carrier.http import HttpServer, Request, Response
from voxbus.devkit.carrier.plan import StatusEvent

_EVENTS = frozenset(get_args(StatusEvent))


class RestApi:
    """``faults`` are for the next requests that place a call, ``list_faults`` for the next that look one up.

    ``orders``: the form of every request to place a call, answered well or not. ``own_numbers`` empty: calls may be
    placed from any number. ``numbers`` are the account's, and ``account`` what is told of it.
    """

    def __init__(
        self,
        exchange: Exchange,
        *,
        own_numbers: frozenset[str] = frozenset(),
        numbers: Sequence[IncomingNumber] = (),
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._exchange = exchange
        self._own_numbers = own_numbers
        self._server = HttpServer(self._handle, host=host, port=port)
        self.numbers = {number.sid: number for number in numbers}
        self.account = {"sid": exchange.account_sid, "status": "active", "type": "Full"}
        self.faults: deque[Fault] = deque()
        self.list_faults: deque[Fault] = deque()
        self.orders: list[dict[str, str]] = []

    async def __aenter__(self) -> RestApi:
        await self._server.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._server.__aexit__(*error)

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def placed(self) -> list[Resource]:
        """The calls that exist, in order."""
        return [outgoing.resource for outgoing in self._exchange.calls.values()]

    async def _handle(self, request: Request) -> Response | None:
        try:
            self._authenticate(request)
            return await self._route(request)
        except ApiError as error:
            return Response(error.status, error.body())

    def _authenticate(self, request: Request) -> None:
        login = f"{self._exchange.account_sid}:{self._exchange.auth_token}".encode()
        if request.headers.get("authorization") != f"Basic {base64.b64encode(login).decode()}":
            raise ApiError(20003)

    async def _route(self, request: Request) -> Response | None:
        calls = f"/2010-04-01/Accounts/{self._exchange.account_sid}/Calls"
        if request.path == f"{calls}.json":
            return await (self._create(request) if request.method == "POST" else self._list(request))
        if request.path == f"{calls.removesuffix('/Calls')}.json":
            return _json(self.account)
        numbers = f"{calls.removesuffix('/Calls')}/IncomingPhoneNumbers"
        if request.path.startswith(numbers):
            return _json(answer_numbers(self.numbers, request, request.path.removeprefix(numbers)))
        sid = request.path.removeprefix(f"{calls}/").removesuffix(".json")
        outgoing = self._exchange.calls.get(sid)
        if outgoing is None:
            raise ApiError(20404, request.path)
        if request.method == "POST":
            return await self._update(outgoing, request.form)
        return await self._look_up(lambda: self._exchange.refresh(outgoing).view())

    async def _create(self, request: Request) -> Response | None:
        self.orders.append(request.form)
        fault = self.faults.popleft() if self.faults else None
        if fault is not None and not fault.makes_call:
            return await _misbehave(fault)
        check_order(request.form, self._own_numbers)
        asked = {value for name, value in request.many if name == "StatusCallbackEvent"} or {"completed"}
        resource = self._exchange.place(request.form, cast("frozenset[StatusEvent]", _EVENTS & asked))
        # What the answer says is what was so when the order was taken.
        return (
            Response(201, json.dumps(resource.view()).encode()) if fault is None else await _misbehave(fault)
        )

    async def _update(self, outgoing: Outgoing, form: dict[str, str]) -> Response:
        resource = self._exchange.refresh(outgoing)
        if resource.status in TERMINAL:
            raise ApiError(21220)
        status = form.get("Status", "")
        if status == "completed" or (status == "canceled" and resource.status in ("queued", "ringing")):
            outgoing.call.hang_up()
        elif status:
            raise ApiError(21218, status)
        elif "Url" in form:
            await outgoing.call.redirect(form["Url"], "GET" if form.get("Method") == "GET" else "POST")
        return _json(resource.view())

    async def _list(self, request: Request) -> Response | None:
        wanted = {"To": request.query.get("To"), "From": request.query.get("From")}
        status = request.query.get("Status")

        def found() -> dict[str, Any]:
            calls = [self._exchange.refresh(outgoing) for outgoing in self._exchange.calls.values()]
            chosen = [
                call
                for call in calls
                if all(value in (None, call.form.get(name)) for name, value in wanted.items())
                and status in (None, call.status)
            ]
            return page(chosen, request.path, int(request.query.get("PageSize", "50")))

        return await self._look_up(found)

    async def _look_up(self, view: Callable[[], dict[str, Any]]) -> Response | None:
        if self.list_faults:
            return await _misbehave(self.list_faults.popleft())
        return _json(view())


def _json(view: dict[str, Any]) -> Response:
    return Response(200, json.dumps(view).encode())


async def _misbehave(fault: Fault) -> Response | None:
    match fault.kind:
        case "silence":
            await asyncio.Event().wait()
        case "drop":
            return None
        case "answer":
            return Response(fault.status, fault.body, fault.content_type)
    return None
