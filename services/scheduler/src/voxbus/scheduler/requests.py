"""What every route asks of a request before it looks at it: a secret, and a body of a bearable size."""

from __future__ import annotations

import hmac
from typing import Final

from fastapi import Request
from pydantic import SecretStr, ValidationError
from starlette.requests import ClientDisconnect

from voxbus.scheduler.errors import Refused

MAX_ORDER_BYTES: Final = 65_536
MAX_REPORT_BYTES: Final = 1_000_000 - 1  # under 1 MB


def check_bearer(request: Request, secret: SecretStr | None) -> None:
    """Raises Refused. Takes the same time wherever a wrong secret begins to differ."""
    if secret is None:
        raise Refused(503, "not_configured", "SCHEDULER_SECRET is not set, so nobody may use this")
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    wanted = secret.get_secret_value().encode()
    if scheme.lower() != "bearer" or not hmac.compare_digest(
        given.strip().encode("utf-8", "replace"), wanted
    ):
        raise Refused(401, "unauthorized", "the header Authorization must be: Bearer SCHEDULER_SECRET")


async def body_of(request: Request, limit_bytes: int) -> bytes:
    """Raises Refused as soon as it is too long, whatever its Content-Length said."""
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > limit_bytes:
                raise Refused(413, "body_too_long", f"the body is longer than {limit_bytes} bytes")
    except ClientDisconnect:
        raise Refused(400, "client_gone", "the request ended in the middle of its body") from None
    return bytes(body)


def wrong_fields(error: ValidationError) -> str:
    """One line with the names and the reasons; the values are personal data."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    lines = (
        f"{'.'.join(map(str, fault['loc'])) or 'body'}: {fault['msg'].removeprefix('Value error, ')}"
        for fault in faults
    )
    return "; ".join(line.splitlines()[0] for line in lines)
