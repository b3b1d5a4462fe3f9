"""What an LLM worker reads from the environment."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from voxbus.common.providers.accounts import Anthropic, Cloudflare, Groq, Ollama, OpenAi, Together
from voxbus.common.settings import ServiceSettings


class LlmSettings(OpenAi, Anthropic, Cloudflare, Together, Groq, Ollama, ServiceSettings):
    llm_providers: str = Field(
        default="",
        description="Who answers: names of docs/providers.md, with commas; the next one stands in when one fails."
        " Unset: `openai` once `OPENAI_API_KEY` or `OPENAI_BASE_URL` is set, else `scripted`.",
    )
    llm_model: str = Field(
        default="",
        description="The model of the first of them, unless the agent names one; unset = the provider's default.",
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
        description="How long the caller waits for the first token, of all providers together; then the fallback"
        " line of the agent is said. Also how long a reply may stop between two tokens.",
    )
    llm_reply_ms: int = Field(
        default=20000, ge=1000, le=120000, description="How long a whole reply may take."
    )
    llm_tool_rounds: int = Field(
        default=3,
        ge=1,
        le=10,
        description="How often in a reply a model may ask for tools before it has to answer with what it knows.",
    )
    llm_tool_meanwhile_ms: int = Field(
        default=500,
        ge=0,
        le=10000,
        description="A tool that takes longer has its `meanwhile` said, unless the reply has said something already.",
    )
    llm_tool_max_bytes: int = Field(
        default=16384,
        ge=256,
        le=262144,
        description="The longest answer of a tool; of a longer one nothing is used.",
    )
    agents_dir: Path = Field(
        default=Path("agents"),
        description="The agent files, `*.yaml`. Tools are asked as they say, whatever a call brings along; without them"
        " no tool is asked.",
    )
    llm_turns: int = Field(default=32, ge=1, le=1000, description="Turns that one worker answers at a time.")
    scripted_token_delay_ms: float = Field(
        default=0,
        ge=0,
        le=1000,
        description="A pause before each word of the scripted dialogue, to act like a model. For demonstrations.",
    )

    @property
    def providers(self) -> str:
        return self.llm_providers or ("openai" if self._openai_is_set else "scripted")

    @property
    def why(self) -> str:
        """Why it is this provider, for the log line at the start."""
        if self.llm_providers:
            return "LLM_PROVIDERS says so"
        if self._openai_is_set:
            return "OPENAI_API_KEY or OPENAI_BASE_URL is set"
        return "neither OPENAI_API_KEY nor OPENAI_BASE_URL is set: the agent's scripted dialogue answers, not a model"

    @property
    def _openai_is_set(self) -> bool:
        return bool(self.model_fields_set & {"openai_api_key", "openai_base_url"})
