"""Where vendors are, and our accounts there: settings that several services share, one class a vendor.

A service's settings inherit those of the vendors that it knows.
"""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, Field, SecretStr

from voxbus.common.providers.names import needed

OPENAI_URL: Final = "https://api.openai.com/v1"
URL: Final = r"^https?://[^\s]+$"


class Accounts(BaseModel):
    def secret(self, field: str) -> str:
        """The secret of that field; empty where there is none."""
        value = getattr(self, field) if field else None
        return value.get_secret_value() if value is not None else ""


class Deepgram(Accounts):
    deepgram_base_url: str = Field(
        default="https://api.deepgram.com", pattern=URL, description="Deepgram's server."
    )
    deepgram_api_key: SecretStr | None = Field(default=None, description="The key of Deepgram.")


class OpenAi(Accounts):
    openai_base_url: str = Field(
        default=OPENAI_URL,
        pattern=URL,
        description="OpenAI's server, or any that is compatible with it, up to and without `/chat/completions`.",
    )
    openai_api_key: SecretStr | None = Field(
        default=None, description="Its key; servers of your own may need none."
    )

    def openai_key(self, provider: str) -> str:
        """Raises SettingsError where the vendor itself would be asked without one."""
        key = self.secret("openai_api_key")
        return needed(provider, "OPENAI_API_KEY", key) if self.openai_base_url == OPENAI_URL else key


class Together(Accounts):
    together_base_url: str = Field(
        default="https://api.together.ai/v1", pattern=URL, description="Together AI's server."
    )
    together_api_key: SecretStr | None = Field(default=None, description="The key of Together AI.")


class Groq(Accounts):
    groq_base_url: str = Field(
        default="https://api.groq.com/openai/v1", pattern=URL, description="Groq's server."
    )
    groq_api_key: SecretStr | None = Field(default=None, description="The key of Groq.")


class Ollama(Accounts):
    ollama_base_url: str = Field(
        default="http://127.0.0.1:11434/v1", pattern=URL, description="Where Ollama listens."
    )


class Anthropic(Accounts):
    anthropic_base_url: str = Field(
        default="https://api.anthropic.com/v1", pattern=URL, description="Anthropic's server."
    )
    anthropic_api_key: SecretStr | None = Field(default=None, description="The key of Anthropic.")


class ElevenLabs(Accounts):
    elevenlabs_base_url: str = Field(
        default="https://api.elevenlabs.io/v1", pattern=URL, description="ElevenLabs' server."
    )
    elevenlabs_api_key: SecretStr | None = Field(default=None, description="The key of ElevenLabs.")


class Cartesia(Accounts):
    cartesia_base_url: str = Field(
        default="https://api.cartesia.ai", pattern=URL, description="Cartesia's server."
    )
    cartesia_api_key: SecretStr | None = Field(default=None, description="The key of Cartesia.")


class Cloudflare(Accounts):
    cloudflare_base_url: str = Field(
        default="https://api.cloudflare.com/client/v4", pattern=URL, description="Cloudflare's API."
    )
    cloudflare_gateway_url: str = Field(
        default="https://gateway.ai.cloudflare.com/v1", pattern=URL, description="Cloudflare's AI Gateway."
    )
    cloudflare_account_id: str = Field(default="", description="The Cloudflare account.")
    cloudflare_api_token: SecretStr | None = Field(
        default=None, description="An API token of it, with the right to use Workers AI."
    )
    cloudflare_gateway: str = Field(default="", description="The name of an AI Gateway of the account.")
    cloudflare_gateway_bearer: bool = Field(
        default=False,
        description="Say `Bearer` before the token in the header `cf-aig-authorization`, which gateways differ about.",
    )
