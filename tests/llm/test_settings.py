"""Which provider answers is said clearly, and a wrong name stops the worker at its start."""

from __future__ import annotations

import pytest

from voxbus.common.errors import SettingsError
from voxbus.common.settings import load
from voxbus.llm.providers import Providers
from voxbus.llm.settings import LlmSettings


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("LLM_PROVIDER", "LLM_FALLBACK", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_without_keys_the_script_answers() -> None:
    settings = load(LlmSettings)
    assert settings.provider == "scripted"
    assert "not a model" in settings.why


@pytest.mark.parametrize(
    ("name", "value"), [("OPENAI_API_KEY", "sk-x"), ("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")]
)
def test_a_key_or_a_server_brings_a_model(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)
    assert load(LlmSettings).provider == "openai"
    assert name in load(LlmSettings).why
    environment.setenv("LLM_PROVIDER", "scripted")
    assert load(LlmSettings).provider == "scripted"


@pytest.mark.parametrize("variable", ["LLM_PROVIDER", "LLM_FALLBACK"])
def test_an_unknown_provider_is_told_which_exist(environment: pytest.MonkeyPatch, variable: str) -> None:
    environment.setenv(variable, "gpt")
    with pytest.raises(
        SettingsError, match=f"{variable} is wrong: no provider is called 'gpt'; there are openai, scripted"
    ):
        load(LlmSettings)


def test_a_key_is_never_shown(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OPENAI_API_KEY", "sk-secret")
    environment.setenv("OPENAI_BASE_URL", "not a url")
    with pytest.raises(SettingsError) as caught:
        load(LlmSettings)
    assert "OPENAI_BASE_URL" in str(caught.value)
    assert "secret" not in str(caught.value)


async def test_the_order_of_providers(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OPENAI_API_KEY", "sk-x")
    environment.setenv("LLM_FALLBACK", "scripted")
    providers = Providers(load(LlmSettings))
    assert providers.for_agent("") == ("openai", "scripted")
    assert providers.for_agent("scripted") == ("scripted", "openai")
    assert providers.for_agent("unheard-of") == ("openai", "scripted")
    await providers.close()
    environment.delenv("OPENAI_API_KEY")
    environment.delenv("LLM_FALLBACK")
    unkeyed = Providers(load(LlmSettings))
    assert unkeyed.for_agent("openai") == ("scripted",)
    await unkeyed.close()
