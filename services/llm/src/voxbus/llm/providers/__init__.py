"""The providers by name. A new one is one file beside these, and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from voxbus.common.providers.names import chosen, needed
from voxbus.llm.providers import workers_ai
from voxbus.llm.providers.anthropic import Anthropic
from voxbus.llm.providers.base import Generation, Provider
from voxbus.llm.providers.openai import OpenAi, OpenAiConfig
from voxbus.llm.providers.presets import PRESETS
from voxbus.llm.providers.scripted import Scripted

if TYPE_CHECKING:
    from voxbus.llm.settings import LlmSettings

#: A connection that was just opened, or asked over, is still there for so long.
_WARM_S: Final = 60.0

#: ``model``: empty = the provider's own default.
Make = Callable[["LlmSettings", str], Provider]


def _generation(settings: LlmSettings) -> Generation:
    return Generation(settings.llm_max_tokens, settings.llm_temperature, settings.llm_first_token_ms / 1000)


def _compatible(name: str, settings: LlmSettings, model: str) -> Provider:
    preset = PRESETS[name]
    key = settings.openai_key(name) if name == "openai" else settings.secret(preset.api_key)
    if preset.needs_key:
        needed(name, preset.api_key.upper(), key)
    config = OpenAiConfig(
        base_url=getattr(settings, preset.base_url),
        api_key=key,
        model=model or preset.model,
        generation=_generation(settings),
        name=name,
    )
    return OpenAi(config)


def _anthropic(settings: LlmSettings, model: str) -> Provider:
    key = needed("anthropic", "ANTHROPIC_API_KEY", settings.secret("anthropic_api_key"))
    return Anthropic(
        settings.anthropic_base_url,
        key,
        model,
        _generation(settings),
    )


def _cloudflare(settings: LlmSettings, model: str) -> Provider:
    """By way of a gateway, where one is named."""
    account, token = _cloudflare_account("cloudflare", settings)
    direct = f"{settings.cloudflare_base_url.rstrip('/')}/accounts/{account}/ai/v1"
    gateway = f"{settings.cloudflare_gateway_url.rstrip('/')}/{account}/{settings.cloudflare_gateway}"
    config = OpenAiConfig(
        base_url=f"{gateway}/workers-ai/v1" if settings.cloudflare_gateway else direct,
        api_key=token,
        model=model or workers_ai.DEFAULT_MODEL,
        generation=_generation(settings),
        name="cloudflare",
        options=workers_ai.OPTIONS,
    )
    return OpenAi(config)


def _cloudflare_native(settings: LlmSettings, model: str) -> Provider:
    return workers_ai.WorkersAi(
        settings.cloudflare_base_url,
        *_cloudflare_account("cloudflare-native", settings),
        model,
        _generation(settings),
    )


def _cloudflare_account(name: str, settings: LlmSettings) -> tuple[str, str]:
    account = needed(name, "CLOUDFLARE_ACCOUNT_ID", settings.cloudflare_account_id)
    return account, needed(name, "CLOUDFLARE_API_TOKEN", settings.secret("cloudflare_api_token"))


def _scripted(settings: LlmSettings, _model: str) -> Provider:
    return Scripted(settings.scripted_token_delay_ms)


PROVIDERS: Final[Mapping[str, Make]] = {
    **{name: partial(_compatible, name) for name in PRESETS},
    "anthropic": _anthropic,
    "cloudflare": _cloudflare,
    "cloudflare-native": _cloudflare_native,
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
