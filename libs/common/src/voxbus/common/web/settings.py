"""What every service with a web server reads."""

from __future__ import annotations

from pydantic import Field

from voxbus.common.settings import ServiceSettings


class WebSettings(ServiceSettings):
    max_connections: int = Field(
        default=2000,
        ge=10,
        le=100_000,
        description="Connections at once, media streams among them. More are answered 503, many more not at all.",
    )
    request_seconds: float = Field(
        default=10.0,
        gt=0,
        le=60,
        description="How long a request may take to come in, its body too; and how long an answer may lie unread.",
    )
