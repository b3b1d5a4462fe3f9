"""What commands that play or ask the carrier read of the environment, as services do (``SECRETS_DIR`` too)."""

from __future__ import annotations

from pydantic import Field, SecretStr

from voxbus.common.settings import ServiceSettings


class AccountSettings(ServiceSettings):
    """What it takes to set up a number. Nothing has a default that would be somebody else's."""

    public_url: str = Field(
        default="", description="What the carrier calls; empty = the gateway's own address."
    )
    twilio_account_sid: str = Field(
        default="", pattern=r"^(AC[0-9a-fA-F]{32})?$", description="The account at the carrier."
    )
    twilio_auth_token: SecretStr | None = Field(default=None, description="Signs what the carrier sends.")
    twilio_api_url: str = Field(
        default="", pattern=r"^(https?://[^\s?#]+)?$", description="Another address of Twilio's REST API."
    )

    @property
    def public(self) -> str:
        return self.public_url.rstrip("/")

    @property
    def token(self) -> str:
        """Empty = nothing is signed."""
        return self.twilio_auth_token.get_secret_value() if self.twilio_auth_token is not None else ""

    def missing(self) -> tuple[str, ...]:
        """The variables without which no number can be set up."""
        needed = ("public_url", "twilio_account_sid", "twilio_auth_token")
        return tuple(name.upper() for name in needed if not getattr(self, name))


class CarrierSettings(AccountSettings):
    """A simulated carrier's. It has an account of its own, unless somebody knows better."""

    twilio_account_sid: str = Field(
        default="AC" + "0" * 32, description="The account that calls are ordered with."
    )
