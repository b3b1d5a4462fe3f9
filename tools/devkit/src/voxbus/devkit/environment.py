"""What commands that play the carrier read from the environment, as the services read it (``SECRETS_DIR`` too)."""

from __future__ import annotations

from pydantic import Field, SecretStr

from voxbus.common.settings import ServiceSettings


class CarrierSettings(ServiceSettings):
    public_url: str = Field(
        default="", description="What the carrier calls; empty = the gateway's own address."
    )
    twilio_account_sid: str = Field(
        default="AC" + "0" * 32, description="The account that calls are ordered with."
    )
    twilio_auth_token: SecretStr | None = Field(default=None, description="Signs what the carrier sends.")

    @property
    def public(self) -> str:
        return self.public_url.rstrip("/")

    @property
    def token(self) -> str:
        """Empty = nothing is signed."""
        return self.twilio_auth_token.get_secret_value() if self.twilio_auth_token is not None else ""
