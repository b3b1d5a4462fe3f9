"""What the scheduler reads from its environment."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator
from sqlalchemy.engine import URL

from voxbus.common import web
from voxbus.common.errors import SettingsError
from voxbus.common.signing import secrets_of
from voxbus.scheduler.core_rules import House
from voxbus.scheduler.core_window import Span, span
from voxbus.scheduler.database import url_of


class SchedulerSettings(web.WebSettings):
    """Without a secret, or without the carrier's account, what needs it answers 503 and the rest runs."""

    scheduler_host: str = Field(default="127.0.0.1", description="Where the scheduler's API listens.")
    scheduler_port: int = Field(
        default=8090, ge=0, le=65535, description="Its port; 0 = a free one, named in the log."
    )
    scheduler_secret: SecretStr | None = Field(
        default=None,
        description="The bearer secret of the scheduler's API. Without it no call can be ordered.",
    )
    agent_shared_secret: SecretStr | None = Field(
        default=None,
        description="Signs and verifies the reports. One secret, or two separated by a comma while one replaces the "
        "other: the first signs, both are accepted. Without it no report is sent, and none is taken.",
    )
    database_url: SecretStr = Field(
        default=SecretStr("sqlite:///var/scheduler.db"),
        description="`sqlite:///FILE`, or `postgresql://USER:PASSWORD@HOST/NAME` for several schedulers.",
        json_schema_extra={"default_text": "`sqlite:///var/scheduler.db`"},
    )
    database_password: SecretStr | None = Field(
        default=None, description="The password, where `DATABASE_URL` has none."
    )
    public_url: str = Field(
        default="",
        pattern=r"^(https?://[^\s?#]+)?$",
        description="Where Twilio reaches the gateway, `https://HOST`. Without it no call can be placed.",
    )
    twilio_account_sid: str = Field(
        default="",
        pattern=r"^(AC[0-9a-fA-F]{32})?$",
        description="The Twilio account that calls are placed with.",
    )
    twilio_auth_token: SecretStr | None = Field(default=None, description="Its auth token.")
    twilio_from_number: str = Field(
        default="",
        pattern=r"^(\+[1-9][0-9]{6,14})?$",
        description="The number that calls are placed from, E.164. The account must own or have verified it.",
    )
    twilio_api_url: str = Field(
        default="",
        pattern=r"^(https?://[^\s?#]+)?$",
        description="Another address of Twilio's REST API: a simulator, or a proxy.",
    )
    carrier_timeout_s: float = Field(
        default=10.0, gt=0, le=60, description="How long the carrier may take to answer a request."
    )
    calls_per_second: float = Field(
        default=1.0,
        gt=0,
        le=100,
        description="The account's pace. Faster, Twilio would queue calls for hours.",
    )
    calls_in_air: int = Field(
        default=100,
        ge=1,
        le=10_000,
        description="How many calls that we placed may go on at once, of all campaigns.",
    )
    quiet_hours: str = Field(
        default="21:00-08:00",
        description="When no campaign rings anybody, `HH:MM-HH:MM` on the callee's clock; `off` = never.",
    )
    attempts_per_day: int = Field(
        default=3,
        ge=1,
        le=100,
        description="How often campaigns may ring a number in a day of its own, all together.",
    )
    keep_days: float = Field(
        default=365.0,
        ge=0,
        description="Calls, contacts and reports that have been over for so long are removed; 0 = never. "
        "The do-not-call list stays.",
    )
    dials_at_once: int = Field(
        default=8, ge=1, le=100, description="Requests to the carrier that may wait for their answer at once."
    )
    ring_timeout_s: int = Field(default=30, ge=5, le=600, description="How long a telephone rings.")
    call_limit_s: int = Field(
        default=1000,
        ge=30,
        le=14400,
        description="When the carrier itself ends a call that we placed; above `MAX_CALL_S`, which is said goodbye at.",
    )
    queue_max_s: float = Field(
        default=3600.0,
        gt=0,
        description="An order that could not be dialled for so long is not dialled any more.",
    )
    reconcile_s: float = Field(
        default=60.0,
        ge=0,
        description="A request without an answer is looked for in the carrier's list for so long, then it's `unknown`.",
    )

    @field_validator("agent_shared_secret")
    @classmethod
    def _usable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            try:
                secrets_of(value.get_secret_value())
            except SettingsError:
                raise ValueError("one secret, or two separated by a comma") from None
        return value

    @field_validator("database_url")
    @classmethod
    def _a_database(cls, value: SecretStr) -> SecretStr:
        url_of(value.get_secret_value())
        return value

    @field_validator("quiet_hours")
    @classmethod
    def _hours(cls, value: str) -> str:
        _quiet(value)
        return value

    @property
    def house(self) -> House:
        return House(quiet=_quiet(self.quiet_hours), attempts_per_day=self.attempts_per_day)

    @property
    def database(self) -> URL:
        url = url_of(self.database_url.get_secret_value())
        if self.database_password is None or url.password is not None or url.host is None:
            return url
        return url.set(password=self.database_password.get_secret_value())

    @property
    def report_secrets(self) -> tuple[bytes, ...]:
        return secrets_of(self.agent_shared_secret.get_secret_value()) if self.agent_shared_secret else ()

    def missing_for_calls(self) -> str:
        """The variables without which no call can be placed; empty = none is missing."""
        needed = {
            "TWILIO_ACCOUNT_SID": self.twilio_account_sid,
            "TWILIO_AUTH_TOKEN": self.twilio_auth_token,
            "TWILIO_FROM_NUMBER": self.twilio_from_number,
            "PUBLIC_URL": self.public_url,
        }
        return ", ".join(name for name, value in needed.items() if not value)


def _quiet(hours: str) -> Span:
    return span("" if hours == "off" else hours)
