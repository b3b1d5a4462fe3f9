"""The scheduler's HTTP routes. Every refusal is a status, a code and one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, get_args

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from sqlalchemy.exc import SQLAlchemyError

from voxbus.common import logs, signing, telemetry
from voxbus.common.errors import BusUnavailable
from voxbus.scheduler.core_states import OUTCOMES, Pending
from voxbus.scheduler.errors import Refused
from voxbus.scheduler.orders import Orders
from voxbus.scheduler.reports import Reports
from voxbus.scheduler.requests import MAX_ORDER_BYTES, MAX_REPORT_BYTES, body_of, check_bearer
from voxbus.scheduler.views import call_view, record_view

_STATES = frozenset(get_args(Pending)) | OUTCOMES

log = logs.get_logger(__name__)

REFUSED = telemetry.counter("scheduler_refused", "Requests to the API that were refused, by why.", "code")


def make_app(orders: Orders, reports: Reports, not_ready: Callable[[], str]) -> FastAPI:
    app = FastAPI(title="voxbus scheduler", docs_url=None, redoc_url=None, openapi_url=None)
    secret = orders.settings.scheduler_secret

    @app.exception_handler(Refused)
    async def on_refused(_request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        return _refusal(error)

    @app.exception_handler(RequestValidationError)
    async def on_wrong_query(_request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        fault = error.errors()[0]
        return _refusal(Refused(422, "bad_query", f"{fault['loc'][-1]}: {fault['msg']}"))

    @app.exception_handler(BusUnavailable)
    async def on_bus_unavailable(_request: Request, error: Exception) -> Response:
        log.error("the bus does not answer", error=error)
        return _refusal(Refused(503, "bus_unavailable", "the bus does not answer; try again"))

    @app.exception_handler(SQLAlchemyError)
    @app.exception_handler(OSError)
    async def on_database_error(_request: Request, error: Exception) -> Response:
        # Its text repeats the statement with its values.
        log.error("the database does not answer", kind=type(error).__name__)
        return _refusal(Refused(503, "database_unavailable", "the database does not answer; try again"))

    @app.post("/v1/calls")
    @app.post("/trigger-outbound")
    async def place_call(request: Request) -> Response:
        check_bearer(request, secret)
        body = await body_of(request, MAX_ORDER_BYTES)
        call, new = await orders.take(body, request.headers.get("idempotency-key"))
        # 202: it is queued, and nobody has dialled yet. 200: the same order was here before.
        location = {"location": f"/v1/calls/{call.id}"}
        return JSONResponse(call_view(call), status_code=202 if new else 200, headers=location)

    @app.get("/v1/calls")
    async def list_calls(
        request: Request,
        state: str | None = None,
        cursor: Annotated[int | None, Query(ge=0)] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> dict[str, Any]:
        check_bearer(request, secret)
        if state is not None and state not in _STATES:
            raise Refused(422, "bad_query", f"state: one of {', '.join(sorted(_STATES))}")
        calls = await orders.book.calls(state=state, before=cursor, limit=limit)
        more = calls[-1].position if len(calls) == limit else None
        return {"calls": [call_view(call) for call in calls], "nextCursor": more}

    @app.get("/v1/calls/{id_or_sid}")
    async def get_call(request: Request, id_or_sid: str) -> dict[str, Any]:
        check_bearer(request, secret)
        record = await orders.book.record(id_or_sid)
        if record is None:
            raise Refused(404, "unknown_call", "no call has this id or call sid")
        return record_view(record)

    @app.post("/v1/agent/call-report")
    async def take_report(request: Request) -> dict[str, str]:
        reports.check_open()
        body = await body_of(request, MAX_REPORT_BYTES)
        headers = request.headers
        new = await reports.take(body, headers.get(signing.TIMESTAMP), headers.get(signing.SIGNATURE))
        return {"status": "stored" if new else "already stored"}

    @app.get("/v1/reports/{call_sid}")
    async def get_report(request: Request, call_sid: str) -> Response:
        check_bearer(request, secret)
        report = await orders.book.report(call_sid)
        if report is None:
            raise Refused(404, "unknown_report", "no report of this call has come")
        return Response(report.body, media_type="application/json")  # as it was signed

    @app.get("/health")
    async def health() -> Response:
        return PlainTextResponse("OK")

    @app.get("/ready")
    async def ready() -> Response:
        reason = not_ready()
        return PlainTextResponse(f"{reason}\n", 503) if reason else PlainTextResponse("ready\n")

    return app


def _refusal(error: Refused) -> Response:
    REFUSED.labels(error.code).inc()
    headers = {}
    if error.code == "unauthorized":
        headers["www-authenticate"] = "Bearer"
    if error.status == 413:
        # What is still on its way is not read, so nothing else can follow on this connection.
        headers["connection"] = "close"
    return JSONResponse({"error": error.code, "message": str(error)}, error.status, headers)
