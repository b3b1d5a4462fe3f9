"""The providers by name. A new one is one file beside these, and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from voxbus.llm.providers.base import Provider
from voxbus.llm.providers.openai import OpenAi, OpenAiConfig
from voxbus.llm.providers.scripted import Scripted

if TYPE_CHECKING:
    from voxbus.llm.settings import LlmSettings


def _openai(settings: LlmSettings) -> Provider:
    key = settings.openai_api_key
    config = OpenAiConfig(
        base_url=settings.openai_base_url,
        api_key=key.get_secret_value() if key else "",
        model=settings.llm_model,
        max_tokens=settings.llm_max_tokens,
        temperature=settings.llm_temperature,
        connect_timeout_s=settings.llm_first_token_ms / 1000,
    )
    return OpenAi(config)


def _scripted(settings: LlmSettings) -> Provider:
    return Scripted(settings.scripted_token_delay_ms)


PROVIDERS: Final[Mapping[str, Callable[[LlmSettings], Provider]]] = {
    "openai": _openai,
    "scripted": _scripted,
}


class Providers:
    """The providers of a worker, made when the worker starts. ``chain``: in the order of the settings."""

    def __init__(self, settings: LlmSettings) -> None:
        self.chain = (settings.provider, *settings.fallbacks)
        # The scripted dialogue costs nothing and needs nothing: agents may always ask for it.
        self._made = {name: PROVIDERS[name](settings) for name in dict.fromkeys((*self.chain, "scripted"))}

    def for_agent(self, wanted: str) -> tuple[str, ...]:
        """The order for an agent that names a provider, or none. One that is not configured here is left out."""
        return tuple(dict.fromkeys((wanted, *self.chain))) if wanted in self._made else self.chain

    def __getitem__(self, name: str) -> Provider:
        return self._made[name]

    async def close(self) -> None:
        for provider in self._made.values():
            await provider.close()
