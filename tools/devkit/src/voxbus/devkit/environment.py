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


class AccountSettings(ServiceSettings):
    """What it takes to set up a number. Nothing has a default that would be somebody else's."""

    public_url: str = Field(default="", description="Where Twilio is to reach the gateway, `https://HOST`.")
    twilio_account_sid: str = Field(
        default="", pattern=r"^(AC[0-9a-fA-F]{32})?$", description="The account that owns the number."
    )
    twilio_auth_token: SecretStr | None = Field(default=None, description="Its auth token.")
    twilio_api_url: str = Field(
        default="", pattern=r"^(https?://[^\s?#]+)?$", description="Another address of Twilio's REST API."
    )

    @property
    def public(self) -> str:
        return self.public_url.rstrip("/")

    @property
    def token(self) -> str:
        return self.twilio_auth_token.get_secret_value() if self.twilio_auth_token is not None else ""

    def missing(self) -> tuple[str, ...]:
        """The variables without which no number can be set up."""
        needed = ("public_url", "twilio_account_sid", "twilio_auth_token")
        return tuple(name.upper() for name in needed if not getattr(self, name))
