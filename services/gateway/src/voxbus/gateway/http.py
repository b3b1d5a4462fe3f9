"""The gateway's HTTP routes: what comes in is checked and handed on, every refusal is a status and one line."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import parse_qsl

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.requests import ClientDisconnect

from voxbus.common.errors import BusUnavailable
from voxbus.common.logs import get_logger
from voxbus.gateway.edge import MAX_BODY_BYTES, answer, visit_of
from voxbus.gateway.errors import Refused
from voxbus.gateway.internal import store_context
from voxbus.gateway.switchboard import ALIASES, STREAM_PATH, Switchboard, refused
from voxbus.gateway.urls import headers_of
from voxbus.gateway.webhooks import Asked, Webhooks

log = get_logger(__name__)

#: Twilio waits 15 s for an answer, and the last try takes some seconds.
BUS_WAIT_S: Final = 8.0
_BUS_RETRY_S: Final = 0.2

_NONCE: Final = re.compile(r"[0-9A-Za-z]{1,64}")


def make_app(board: Switchboard, webhooks: Webhooks) -> FastAPI:
    app = FastAPI(title="voxbus gateway", docs_url=None, redoc_url=None, openapi_url=None)

    @app.exception_handler(Refused)
    async def on_refused(_request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        refused(error)
        return answer(error)

    @app.exception_handler(BusUnavailable)
    async def on_bus_unavailable(_request: Request, error: Exception) -> Response:
        assert isinstance(error, BusUnavailable)
        unanswered = Refused(503, error.code, "the bus does not answer", retry_after_s=2)
        log.warning("a request needs the bus", error=error)
        refused(unanswered)
        return answer(unanswered)

    async def asked(request: Request) -> Asked:
        """Raises Refused for what Twilio did not sign."""
        board.gate.check_open()
        headers = headers_of(request.headers.items())
        peer = request.client.host if request.client is not None else ""
        origin = board.gate.origin(headers, peer)
        query = request.url.query
        url = origin.http(request.url.path) + (f"?{query}" if query else "")
        form: list[tuple[str, str]] = []
        if request.method == "POST":
            try:
                form = parse_qsl(
                    (await read_body(request)).decode(), keep_blank_values=True, max_num_fields=200
                )
            except ValueError:
                raise Refused(400, "bad_form", "the body is not a form of at most 200 fields") from None
        board.gate.check_request(url, form, headers)
        visit_of(request).prove()
        parameters = dict(request.query_params)
        return Asked(origin, dict(form) if request.method == "POST" else parameters, parameters)

    @app.api_route("/twilio/voice", methods=["GET", "POST"])
    @app.api_route("/twiml", methods=["GET", "POST"])
    async def voice(request: Request) -> Response:
        of = await asked(request)
        return _xml(await _patiently(lambda: webhooks.voice(of, stops_alone=board.stops_alone)))

    @app.api_route("/twilio/next", methods=["GET", "POST"])
    async def next_verb(request: Request) -> Response:
        of = await asked(request)
        return _xml(await _patiently(lambda: webhooks.next(of, stops_alone=board.stops_alone)))

    @app.post("/twilio/status")
    async def status(request: Request) -> Response:
        await webhooks.status(await asked(request))
        return Response(status_code=204)

    @app.post("/twilio/amd")
    async def amd(request: Request) -> Response:
        await webhooks.amd(await asked(request))
        return Response(status_code=204)

    @app.post("/twilio/stream-status")
    async def stream_status(request: Request) -> Response:
        webhooks.stream_status(await asked(request))
        return Response(status_code=204)

    @app.post("/internal/store-context")
    async def internal_store_context(request: Request) -> Response:
        board.gate.check_secret(headers_of(request.headers.items()))
        visit_of(request).prove()
        await store_context(board.bus, board.catalog, await read_body(request))
        return Response(status_code=204)

    @app.get("/health")
    async def health(nonce: str = "") -> Response:
        # Whoever asks under the public URL learns from the nonce that it leads here, and not to somebody else's "OK".
        return PlainTextResponse("OK", headers={"X-Voxbus-Nonce": nonce} if _NONCE.fullmatch(nonce) else None)

    @app.get("/ready")
    async def ready() -> Response:
        reason = board.not_ready()
        return PlainTextResponse(f"{reason}\n", 503) if reason else PlainTextResponse("ready\n")

    async def upgrade_required() -> Response:
        raise Refused(426, "no_upgrade", "this is a WebSocket for Twilio Media Streams, not a page")

    for path in (f"{STREAM_PATH}{{call_sid:path}}", *ALIASES):
        app.add_api_route(path, upgrade_required, methods=["GET"])
    return app


async def _patiently(answer: Callable[[], Awaitable[str]]) -> str:
    """A bus that restarts is waited for: a webhook that fails costs the call. Raises BusUnavailable."""
    loop = asyncio.get_running_loop()
    last_s = loop.time() + BUS_WAIT_S
    while True:
        try:
            return await answer()
        except BusUnavailable:
            if loop.time() > last_s:
                raise
            await asyncio.sleep(_BUS_RETRY_S)


async def read_body(request: Request) -> bytes:
    """Raises Refused for one that is too long, or that does not come."""
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY_BYTES:
                raise Refused(413, "body_too_long", f"the body is longer than {MAX_BODY_BYTES} bytes")
    except ClientDisconnect:
        raise Refused(400, "client_gone", "the request ended in the middle of its body") from None
    return body


def _xml(text: str) -> Response:
    return Response(text, media_type="application/xml")
