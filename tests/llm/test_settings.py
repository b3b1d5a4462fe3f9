"""Which provider answers is said clearly, and a wrong name stops the worker at its start."""

from __future__ import annotations

import pytest

from voxbus.common.errors import SettingsError
from voxbus.common.settings import load
from voxbus.llm.providers import Providers
from voxbus.llm.settings import LlmSettings


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("LLM_PROVIDERS", "OPENAI_API_KEY", "OPENAI_BASE_URL", "TOGETHER_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_without_keys_the_script_answers() -> None:
    settings = load(LlmSettings)
    assert settings.providers == "scripted"
    assert "not a model" in settings.why


@pytest.mark.parametrize(
    ("name", "value"), [("OPENAI_API_KEY", "sk-x"), ("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")]
)
def test_a_key_or_a_server_brings_a_model(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)
    assert load(LlmSettings).providers == "openai"
    assert name in load(LlmSettings).why
    environment.setenv("LLM_PROVIDERS", "scripted")
    assert load(LlmSettings).providers == "scripted"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "gpt",
            "LLM_PROVIDERS: there is no provider 'gpt'; there are: anthropic, cloudflare, cloudflare-native, groq",
        ),
        ("openai,gpt", "LLM_PROVIDERS: there is no provider 'gpt'"),
        (",", "LLM_PROVIDERS names no provider"),
        ("openai", "OPENAI_API_KEY is not set: the provider openai needs it"),
        ("anthropic", "ANTHROPIC_API_KEY is not set: the provider anthropic needs it"),
        ("cloudflare", "CLOUDFLARE_ACCOUNT_ID is not set: the provider cloudflare needs it"),
        ("together", "TOGETHER_API_KEY is not set: the provider together needs it"),
    ],
)
def test_a_provider_that_cannot_be_is_told_what_to_set(
    environment: pytest.MonkeyPatch, value: str, message: str
) -> None:
    environment.setenv("LLM_PROVIDERS", value)
    with pytest.raises(SettingsError) as caught:
        Providers(load(LlmSettings))
    assert str(caught.value).startswith(message)


def test_a_key_is_never_shown(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OPENAI_API_KEY", "sk-secret")
    environment.setenv("OPENAI_BASE_URL", "not a url")
    with pytest.raises(SettingsError) as caught:
        load(LlmSettings)
    assert "OPENAI_BASE_URL" in str(caught.value)
    assert "secret" not in str(caught.value)


async def test_the_order_of_providers(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TOGETHER_API_KEY", "k")
    environment.setenv("OPENAI_API_KEY", "k")
    environment.setenv("LLM_PROVIDERS", "together, openai")
    environment.setenv("LLM_MODEL", "m1")
    providers = Providers(load(LlmSettings))
    assert providers.for_agent("") == ("together", "openai")
    assert providers.for_agent("openai") == ("openai", "together")
    assert providers.for_agent("scripted") == ("scripted", "together", "openai")
    assert providers.for_agent("unheard-of") == ("together", "openai")
    assert (providers["together"].model, providers["openai"].model) == ("m1", "gpt-4o-mini")
    await providers.close()
    environment.delenv("LLM_PROVIDERS")
    environment.delenv("OPENAI_API_KEY")
    unkeyed = Providers(load(LlmSettings))
    assert unkeyed.for_agent("openai") == ("scripted",)
    await unkeyed.close()
