"""What Deepgram's protocols have in common: how one is refused."""

from __future__ import annotations

from aiohttp import web

from voxbus.devkit.vendors.desk import Desk, refuses
from voxbus.devkit.vendors.faults import Fault

_CODES = {401: "INVALID_AUTH", 402: "ASR_PAYMENT_REQUIRED", 429: "TOO_MANY_REQUESTS", 400: "Bad Request"}


def refusal(status: int, message: str = "") -> web.Response:
    code = _CODES.get(status, "INTERNAL_SERVER_ERROR")
    body = {"err_code": code, "err_msg": message or code, "request_id": "r0"}
    return web.json_response(body, status=status, headers={"dg-error": code})


def refused(desk: Desk, vendor: str, request: web.Request, fault: Fault | None) -> web.Response | None:
    """None: the request is taken."""
    desk.counts[f"{vendor}.requests"] += 1
    if not request.headers.get("Authorization", "").startswith("Token "):
        desk.wrong(vendor, "no Authorization: Token")
        return refusal(401)
    status = refuses(fault)
    return refusal(status) if status else None
