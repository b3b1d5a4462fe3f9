"""What every route asks of a request before it looks at it: a secret, and a body of a bearable size."""

from __future__ import annotations

import hmac
from typing import Any, Final

from fastapi import Request
from pydantic import BaseModel, SecretStr, ValidationError
from starlette.requests import ClientDisconnect

from voxbus.scheduler.errors import Refused

_MAX_KEY: Final = 255
MAX_ORDER_BYTES: Final = 65_536
MAX_LIST_BYTES: Final = 16 * 2**20
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


def check_key(key: str | None) -> None:
    """Raises Refused for what is no idempotency key; None = none was given."""
    if key is not None and not (0 < len(key) <= _MAX_KEY and key.isascii() and key.isprintable()):
        raise Refused(422, "bad_idempotency_key", f"Idempotency-Key: 1 to {_MAX_KEY} ASCII characters")


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


def is_csv(request: Request) -> bool:
    """By the Content-Type. Raises Refused for what is neither CSV nor JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("text/csv", "application/json"):
        raise Refused(415, "unsupported_media_type", "Content-Type: text/csv or application/json")
    return kind == "text/csv"


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """For the OpenAPI document: routes read their bodies themselves, so that a long one is refused while it comes."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": _schema(model)}}}}


def list_body(model: type[BaseModel]) -> dict[str, Any]:
    body = json_body(model)
    body["requestBody"]["content"]["text/csv"] = {"schema": {"type": "string"}}
    return body


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    """With what it refers to inside, because nothing of it is among the document's components."""
    schema = model.model_json_schema(ref_template="{model}")
    definitions = schema.pop("$defs", {})

    def inline(part: Any) -> Any:
        match part:
            case {"$ref": str(name), **rest}:
                return inline(definitions[name] | rest)
            case dict():
                return {key: inline(value) for key, value in part.items()}
            case list():
                return [inline(value) for value in part]
        return part

    inlined: dict[str, Any] = inline(schema)
    return inlined
