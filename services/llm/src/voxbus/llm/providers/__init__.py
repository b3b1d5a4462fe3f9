"""The providers by name. A new one is one file beside these, and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from voxbus.common.providers.names import chosen, needed
from voxbus.llm.providers.base import Provider
from voxbus.llm.providers.openai import OpenAi, OpenAiConfig
from voxbus.llm.providers.presets import PRESETS
from voxbus.llm.providers.scripted import Scripted

if TYPE_CHECKING:
    from voxbus.llm.settings import LlmSettings

#: A connection that was just opened, or asked over, is still there for so long.
_WARM_S: Final = 60.0

#: ``model``: empty = the provider's own default.
Make = Callable[["LlmSettings", str], Provider]


def _compatible(name: str, settings: LlmSettings, model: str) -> Provider:
    preset = PRESETS[name]
    key = settings.secret(preset.api_key)
    if preset.needs_key:
        needed(name, preset.api_key.upper(), key)
    config = OpenAiConfig(
        base_url=getattr(settings, preset.base_url),
        api_key=key,
        model=model or preset.model,
        max_tokens=settings.llm_max_tokens,
        temperature=settings.llm_temperature,
        connect_timeout_s=settings.llm_first_token_ms / 1000,
        name=name,
    )
    return OpenAi(config)


def _scripted(settings: LlmSettings, _model: str) -> Provider:
    return Scripted(settings.scripted_token_delay_ms)


PROVIDERS: Final[Mapping[str, Make]] = {
    **{name: partial(_compatible, name) for name in PRESETS},
    "scripted": _scripted,
}


class Providers:
    """The providers of a worker, made when the worker starts. ``chain``: in the order of the settings.

    Raises SettingsError for a name that does not exist, and for a key that is missing.
    """

    def __init__(self, settings: LlmSettings) -> None:
        self.chain = chosen("LLM_PROVIDERS", settings.providers, PROVIDERS)
        # LLM_MODEL is a name that the first one knows. The scripted dialogue costs nothing and needs nothing: agents
        # may always ask for it.
        self._made = {
            name: PROVIDERS[name](settings, settings.llm_model if name == self.chain[0] else "")
            for name in dict.fromkeys((*self.chain, "scripted"))
        }
        self._warm_until_s: dict[str, float] = {}

    def for_agent(self, wanted: str) -> tuple[str, ...]:
        """The order for an agent that names a provider, or none. One that is not configured here is left out."""
        return tuple(dict.fromkeys((wanted, *self.chain))) if wanted in self._made else self.chain

    def __getitem__(self, name: str) -> Provider:
        return self._made[name]

    async def warm(self, agent: str, now_s: float) -> None:
        """A call has begun: whoever answers first may open a connection, once in a while."""
        name = self.for_agent(agent)[0]
        if now_s >= self._warm_until_s.get(name, 0.0):
            self._warm_until_s[name] = now_s + _WARM_S
            await self._made[name].warm()

    async def close(self) -> None:
        for provider in self._made.values():
            await provider.close()
