"""How an API misbehaves. Each fault is for one request; ``makes_call``: whether the call is placed all the same.

api.faults += [too_many(), too_many(), silence(makes_call=True)]
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from voxbus.devkit.carrier.core_resource import ApiError

HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(frozen=True)
class Fault:
    """``answer``: says ``body``; ``silence``: never answers; ``drop``: resets the connection."""

    kind: Literal["answer", "silence", "drop"]
    makes_call: bool = False
    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"


def refusal(code: int) -> Fault:
    error = ApiError(code)
    return Fault("answer", status=error.status, body=error.body())


def too_many() -> Fault:
    return refusal(20429)


def modern_refusal(code: int, status: int = 400) -> Fault:
    """The newer kind of error body (RFC 9457)."""
    body = {"type": "https://www.twilio.com/docs/errors", "title": "Refused", "status": status, "code": code}
    return Fault("answer", status=status, body=json.dumps(body).encode())


def bad_gateway(*, makes_call: bool = False) -> Fault:
    """A proxy in between that answers in HTML."""
    return Fault("answer", makes_call, 502, HTML, "text/html")


def server_error(*, makes_call: bool = False) -> Fault:
    body = {"code": 20500, "message": "Internal Server Error", "more_info": "", "status": 500}
    return Fault("answer", makes_call, 500, json.dumps(body).encode())


def nonsense(*, makes_call: bool = True) -> Fault:
    """A success that is none of ours."""
    return Fault("answer", makes_call, 200, HTML, "text/html")


def silence(*, makes_call: bool) -> Fault:
    return Fault("silence", makes_call)


def drop(*, makes_call: bool) -> Fault:
    return Fault("drop", makes_call)
