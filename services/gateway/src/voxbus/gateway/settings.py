"""The gateway's environment."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from voxbus.common.settings import ServiceSettings
from voxbus.gateway.urls import networks, origin_of


class GatewaySettings(ServiceSettings):
    gateway_host: str = Field(
        default="127.0.0.1",
        description="Where webhooks and media streams listen. `0.0.0.0` in a container.",
    )
    gateway_port: int = Field(
        default=8080,
        ge=0,
        le=65535,
        description="Their port; 0 = a free one, named in the log line `listening`.",
    )
    public_url: str = Field(
        default="",
        description="The URL under which Twilio reaches the gateway, `https://HOST`. Unset = from the `Host` header, "
        "or from `X-Forwarded-Host` and `X-Forwarded-Proto` of `TRUSTED_PROXIES`.",
    )
    trusted_proxies: str = Field(
        default="127.0.0.1,::1",
        description="Addresses and CIDR ranges of proxies whose forwarded headers count, separated by commas.",
    )
    twilio_auth_token: SecretStr | None = Field(
        default=None,
        description="The account's auth token. It checks signatures only. Unset = the Twilio routes answer 503.",
    )
    twilio_validate: Literal["on", "off"] = Field(
        default="on",
        description="`off` takes unsigned requests, from anybody: for a machine that nobody else reaches.",
    )
    internal_secret: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="The bearer secret of `/internal/store-context`. Unset = that route answers 503.",
    )
    phone: Literal["on", "off"] = Field(
        default="on", description="The browser phone, `/phone`. Who may use it: see `PHONE_TOKEN`."
    )
    phone_token: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="Whoever has it may use the browser phone, from anywhere. Unset = a browser on this machine may, "
        "without any, as long as `PUBLIC_URL` is unset; nobody else.",
    )
    agents_dir: Path = Field(
        default=Path("agents"), description="The folder of agent definitions (`*.yaml`)."
    )
    persona: str = Field(
        default="appointment_reminder",
        description="The agent of calls whose context and URL name none.",
    )

    no_reply_seconds: float = Field(
        default=15.0,
        ge=8,
        le=300,
        description="A caller who was not answered for so long hears that nobody can take the call. Must be longer "
        "than `LLM_FIRST_TOKEN_MS`.",
    )

    @field_validator("public_url")
    @classmethod
    def _is_origin(cls, value: str) -> str:
        if value:
            origin_of(value)
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        networks(value)
        return value
