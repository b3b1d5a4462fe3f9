"""What the reporter reads from its environment."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator

from voxbus.common.errors import SettingsError
from voxbus.common.settings import ServiceSettings
from voxbus.common.signing import secrets_of


class ReporterSettings(ServiceSettings):
    api_url: str = Field(
        default="",
        pattern=r"^(https?://[^\s?#]+)?$",
        description="The backend that takes the reports, at `API_URL/v1/agent/call-report`: the scheduler, or yours. "
        "Without it logs are archived and no report is delivered; `voxbus reports replay` can do that later.",
    )
    agent_shared_secret: SecretStr | None = Field(
        default=None,
        description="Signs and verifies the reports. One secret, or two separated by a comma while one replaces the "
        "other: the first signs, both are accepted. Without it no report is sent, and none is taken.",
    )
    report_timeout_s: float = Field(
        default=10.0, gt=0, le=60, description="How long the backend may take to answer one attempt."
    )
    report_concurrency: int = Field(
        default=64, ge=1, le=1000, description="How many calls one reporter works on at once."
    )
    log_keep_s: float = Field(
        default=3600.0,
        ge=0,
        le=4 * 3600,
        description="How long the log of an ended call stays beside the running ones, before the archive alone has it.",
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

    @property
    def secrets(self) -> tuple[bytes, ...]:
        return secrets_of(self.agent_shared_secret.get_secret_value()) if self.agent_shared_secret else ()

    def missing_for_delivery(self) -> str:
        """The variables without which no report can be delivered; empty = none is missing."""
        needed = {"API_URL": self.api_url, "AGENT_SHARED_SECRET": self.agent_shared_secret}
        return ", ".join(name for name, value in needed.items() if not value)
