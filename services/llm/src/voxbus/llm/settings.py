"""What an LLM worker reads from the environment."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator

from voxbus.common.settings import ServiceSettings
from voxbus.llm.providers import PROVIDERS


class LlmSettings(ServiceSettings):
    llm_provider: str = Field(
        default="",
        description="`openai` or `scripted`. Unset: `openai` once `OPENAI_API_KEY` or `OPENAI_BASE_URL` is set, else"
        " `scripted`.",
    )
    llm_fallback: str = Field(
        default="", description="Providers to ask when the first one fails, in order, separated by commas."
    )
    llm_model: str = Field(
        default="gpt-4o-mini", description="The model, unless the agent names one. Most servers want another."
    )
    llm_max_tokens: int = Field(
        default=300,
        ge=16,
        le=4096,
        description="The longest reply, in tokens; 300 are about a minute and a half.",
    )
    llm_temperature: float | None = Field(
        default=None, ge=0, le=2, description="Sampling temperature; unset = the server's."
    )
    llm_first_token_ms: int = Field(
        default=3000,
        ge=100,
        le=30000,
        description="How long a provider may be silent, before its first token and between two; then the next one is"
        " asked, or the agent's fallback line is said.",
    )
    llm_reply_ms: int = Field(
        default=20000, ge=1000, le=120000, description="How long a whole reply may take."
    )
    llm_turns: int = Field(default=32, ge=1, le=1000, description="Turns that one worker answers at a time.")
    openai_base_url: str = Field(
        default="https://api.openai.com/v1",
        pattern=r"^https?://[^\s]+$",
        description="Any OpenAI-compatible server, up to and without `/chat/completions`.",
    )
    openai_api_key: SecretStr | None = Field(
        default=None, description="Its key; servers of your own may need none."
    )
    scripted_token_delay_ms: float = Field(
        default=0,
        ge=0,
        le=1000,
        description="A pause before each word of the scripted dialogue, to act like a model. For demonstrations.",
    )

    @field_validator("llm_provider", "llm_fallback")
    @classmethod
    def _exist(cls, value: str) -> str:
        for name in filter(None, map(str.strip, value.split(","))):
            if name not in PROVIDERS:
                raise ValueError(f"no provider is called {name!r}; there are {', '.join(PROVIDERS)}")
        return value

    @property
    def provider(self) -> str:
        return self.llm_provider or ("openai" if self._openai_is_set else "scripted")

    @property
    def why(self) -> str:
        """Why it is this provider, for the log line at the start."""
        if self.llm_provider:
            return "LLM_PROVIDER says so"
        if self._openai_is_set:
            return "OPENAI_API_KEY or OPENAI_BASE_URL is set"
        return "neither OPENAI_API_KEY nor OPENAI_BASE_URL is set: the agent's scripted dialogue answers, not a model"

    @property
    def fallbacks(self) -> tuple[str, ...]:
        return tuple(name.strip() for name in self.llm_fallback.split(",") if name.strip())

    @property
    def _openai_is_set(self) -> bool:
        return bool(self.model_fields_set & {"openai_api_key", "openai_base_url"})
