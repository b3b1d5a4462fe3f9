"""The scheduler's HTTP routes. Every refusal is a status, a code and one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, get_args

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from fastapi.security import HTTPBearer
from sqlalchemy.exc import SQLAlchemyError

from voxbus.common import logs, signing, telemetry
from voxbus.common.errors import BusUnavailable
from voxbus.common.report import CallReport
from voxbus.scheduler import api_lists
from voxbus.scheduler.campaigns import Campaigns
from voxbus.scheduler.core_orders import Order
from voxbus.scheduler.core_states import OUTCOMES, Pending
from voxbus.scheduler.errors import Refused
from voxbus.scheduler.orders import Orders
from voxbus.scheduler.refusals import DoNotCallList
from voxbus.scheduler.reports import Reports
from voxbus.scheduler.requests import MAX_ORDER_BYTES, MAX_REPORT_BYTES, body_of, check_bearer, json_body
from voxbus.scheduler.settings import SchedulerSettings
from voxbus.scheduler.views import CallsView, CallView, RecordView, RefusalView, call_view, record_view

_STATES = frozenset(get_args(Pending)) | OUTCOMES
_ABOUT: Final = "Places calls, runs campaigns, keeps the list of those who want no calls, takes the reports."

log = logs.get_logger(__name__)

REFUSED = telemetry.counter("scheduler_refused", "Requests to the API that were refused, by why.", "code")


@dataclass(frozen=True)
class Parts:
    """What the routes are about."""

    orders: Orders
    campaigns: Campaigns
    do_not_call: DoNotCallList
    reports: Reports


def make_app(settings: SchedulerSettings, parts: Parts, not_ready: Callable[[], str]) -> FastAPI:
    app = FastAPI(title="voxbus scheduler", description=_ABOUT, version="1", docs_url=None, redoc_url=None)

    def knows_the_secret(request: Request) -> None:
        check_bearer(request, settings.scheduler_secret)

    # HTTPBearer stands in the document only: what is refused, and how, is ours to say.
    doors = [Depends(knows_the_secret), Depends(HTTPBearer(auto_error=False, scheme_name="SCHEDULER_SECRET"))]
    refusals: dict[int | str, dict[str, Any]] = {
        "4XX": {"model": RefusalView},
        "503": {"model": RefusalView, "description": "Something that this needs is missing or away."},
    }
    app.include_router(_calls(parts.orders), dependencies=doors, responses=refusals)
    app.include_router(_reports(parts), dependencies=doors, responses=refusals)
    app.include_router(api_lists.campaigns(parts.campaigns), dependencies=doors, responses=refusals)
    app.include_router(api_lists.do_not_call(parts.do_not_call), dependencies=doors, responses=refusals)
    app.include_router(_from_the_reporter(parts.reports), responses=refusals)
    app.include_router(_health(not_ready))
    _answer_errors(app)
    return app


def _calls(orders: Orders) -> APIRouter:
    router = APIRouter(tags=["calls"])

    @router.post("/v1/calls", status_code=202, openapi_extra=json_body(Order))
    @router.post(
        "/trigger-outbound", status_code=202, openapi_extra=json_body(Order), include_in_schema=False
    )
    async def place_call(request: Request) -> CallView:
        """Queues a call. The same `Idempotency-Key` with the same order is answered 200 with the same call."""
        body = await body_of(request, MAX_ORDER_BYTES)
        call, new = await orders.take(body, request.headers.get("idempotency-key"))
        # 202: it is queued, and nobody has dialled yet. 200: the same order was here before.
        return JSONResponse(  # type: ignore[return-value]  # the return type is the document's
            call_view(call).model_dump(by_alias=True),
            status_code=202 if new else 200,
            headers={"location": f"/v1/calls/{call.id}"},
        )

    @router.get("/v1/calls")
    async def list_calls(
        state: str | None = None,
        cursor: Annotated[int | None, Query(ge=0)] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> CallsView:
        """The newest first; `nextCursor` is for the next page."""
        if state is not None and state not in _STATES:
            raise Refused(422, "bad_query", f"state: one of {', '.join(sorted(_STATES))}")
        calls = await orders.stores.book.calls(state=state, before=cursor, limit=limit)
        more = calls[-1].position if len(calls) == limit else None
        return CallsView(calls=[call_view(call) for call in calls], next_cursor=more)

    @router.get("/v1/calls/{id_or_sid}")
    async def get_call(id_or_sid: str) -> RecordView:
        """The call, its history, its report."""
        return record_view(await orders.record(id_or_sid))

    @router.delete("/v1/calls/{id_or_sid}", status_code=202)
    async def cancel_call(id_or_sid: str) -> CallView:
        """Takes the call out of the queue, or hangs it up, ringing or answered."""
        return call_view(await orders.cancel(id_or_sid))

    return router


def _reports(parts: Parts) -> APIRouter:
    router = APIRouter(tags=["reports"])

    @router.get("/v1/reports/{call_sid}", response_model=CallReport)
    async def get_report(call_sid: str) -> Response:
        """The report of any call, calls in included."""
        report = await parts.orders.stores.book.report(call_sid)
        if report is None:
            raise Refused(404, "unknown_report", "no report of this call has come")
        return Response(report.body, media_type="application/json")  # as it was signed

    return router


def _from_the_reporter(reports: Reports) -> APIRouter:
    router = APIRouter(tags=["reports"])

    @router.post("/v1/agent/call-report", openapi_extra=json_body(CallReport))
    async def take_report(request: Request) -> dict[str, str]:
        """Takes a report, signed with AGENT_SHARED_SECRET, once a call."""
        reports.check_open()
        body = await body_of(request, MAX_REPORT_BYTES)
        headers = request.headers
        new = await reports.take(body, headers.get(signing.TIMESTAMP), headers.get(signing.SIGNATURE))
        return {"status": "stored" if new else "already stored"}

    return router


def _health(not_ready: Callable[[], str]) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/health", response_class=PlainTextResponse)
    async def health() -> str:
        """The process runs."""
        return "OK"

    @router.get("/ready", response_class=PlainTextResponse)
    async def ready() -> Response:
        """It can do its work; else 503 and the reason."""
        reason = not_ready()
        return PlainTextResponse(f"{reason}\n", 503) if reason else PlainTextResponse("ready\n")

    return router


def _answer_errors(app: FastAPI) -> None:
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


def _refusal(error: Refused) -> Response:
    REFUSED.labels(error.code).inc()
    headers = {}
    if error.code == "unauthorized":
        headers["www-authenticate"] = "Bearer"
    if error.status == 413:
        # What is still on its way is not read, so nothing else can follow on this connection.
        headers["connection"] = "close"
    return JSONResponse({"error": error.code, "message": str(error)}, error.status, headers)
