"""The gateway's environment."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from voxbus.common import web
from voxbus.gateway.urls import networks, origin_of


class GatewaySettings(web.WebSettings):
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
        "without any, as long as `PUBLIC_URL` is unset or names this machine; nobody else.",
    )
    agents_dir: Path = Field(
        default=Path("agents"), description="The folder of agent definitions (`*.yaml`)."
    )
    recordings_dir: Path = Field(
        default=Path("var/recordings"),
        description="Where calls are recorded of agents with `recording: true`. Nothing is made there before that.",
    )
    recordings_keep_days: float = Field(
        default=30.0,
        gt=0,
        le=3650,
        description="Recordings are removed after so long; not later than `ARCHIVE_KEEP_DAYS`, because without the log "
        "of the call nobody knows whose they are.",
    )
    persona: str = Field(
        default="appointment_reminder",
        description="The agent of calls whose context and URL name none.",
    )

    max_streams: int = Field(
        default=500,
        ge=1,
        le=50_000,
        description="Media streams at once. More are answered 503; the carrier asks again, and at last says that "
        "nobody can take the call.",
    )
    address_connections: int = Field(
        default=50,
        ge=1,
        le=100_000,
        description="Connections at once of one address, and unproven sockets and requests. Whoever proves who it is "
        "(Twilio's signature, a token, a secret) counts against no address, and a trusted proxy against none either: "
        "behind it, twice as many requests that try to prove something may be on their way from one address.",
    )
    address_requests: float = Field(
        default=20.0,
        gt=0,
        le=100_000,
        description="Requests a second of one address that prove nothing, with 5 seconds' worth at once; 20 times that "
        "in all, and 10 times that of requests that try to prove something. The address behind a trusted proxy is "
        "the one that it names in `X-Forwarded-For`.",
    )
    slow_client_seconds: float = Field(
        default=5.0,
        gt=0,
        le=60,
        description="A media stream that does not read what it is sent for so long is cut off; the call may come back.",
    )
    filler_after_ms: int = Field(
        default=900,
        ge=300,
        le=7000,
        description="A caller who waits for a reply so long, from their own last word on, hears one of the agent's"
        " fillers, and the next one every 3 s. A model that usually takes longer has one said before every answer: then"
        " raise this.",
    )
    no_reply_seconds: float = Field(
        default=15.0,
        ge=8,
        le=300,
        description="A caller who was not answered for so long hears that nobody can take the call. Must be longer "
        "than `LLM_FIRST_TOKEN_MS`.",
    )

    @model_validator(mode="after")
    def _recordings_have_owners(self) -> Self:
        if self.recordings_keep_days > self.archive_keep_days:
            raise ValueError("RECORDINGS_KEEP_DAYS must not be longer than ARCHIVE_KEEP_DAYS")
        return self

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
