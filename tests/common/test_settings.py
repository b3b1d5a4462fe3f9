from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field, SecretStr, ValidationError

from voxbus.common.errors import SettingsError
from voxbus.common.settings import ServiceSettings, load


class Example(ServiceSettings):
    api_key: SecretStr = Field(description="The key of the provider.")
    silence_ms: int = Field(default=500, ge=100, description="Silence that ends a turn.")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Example.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("API_KEY", "s3cret")


def test_variables_are_the_fields_without_a_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_URL", "nats://bus:4222")
    monkeypatch.setenv("SILENCE_MS", "700")
    settings = load(Example)
    assert (settings.nats_url, settings.silence_ms) == ("nats://bus:4222", 700)
    assert settings.api_key.get_secret_value() == "s3cret"


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SILENCE_MS", "")
    assert load(Example).silence_ms == 500
    monkeypatch.setenv("API_KEY", "")
    with pytest.raises(SettingsError, match="API_KEY is not set"):
        load(Example)


def test_what_the_environment_leaves_out_may_be_in_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "api_key").write_text("from a file\n")
    (tmp_path / "silence_ms").write_text("700\n")
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("SILENCE_MS", "800")
    assert load(Example).api_key.get_secret_value() == "s3cret"
    monkeypatch.setenv("API_KEY", "")
    settings = load(Example)
    assert (settings.api_key.get_secret_value(), settings.silence_ms) == ("from a file", 800)


def test_a_folder_of_secrets_that_is_not_there_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path / "none"))
    with pytest.raises(SettingsError, match="SECRETS_DIR is wrong"):
        load(Example)
    (tmp_path / "api_key").mkdir()
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    monkeypatch.delenv("API_KEY")
    with pytest.warns(UserWarning, match="api_key"), pytest.raises(SettingsError, match="API_KEY is not set"):
        load(Example)


def test_a_missing_variable_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("API_KEY")
    with pytest.raises(SettingsError) as caught:
        load(Example)
    assert str(caught.value) == "API_KEY is not set: set it (The key of the provider.)"


def test_every_fault_is_named_on_one_line_and_no_value_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SILENCE_MS", "5550123")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    monkeypatch.setenv("METRICS_PORT", "http-5550123")
    with pytest.raises(SettingsError) as caught:
        load(Example)
    text = str(caught.value)
    assert "LOG_LEVEL is wrong" in text
    assert "METRICS_PORT is wrong" in text
    assert "\n" not in text
    assert "5550123" not in text
    assert "loud" not in text


def test_settings_are_frozen_and_hide_secrets() -> None:
    settings = load(Example)
    with pytest.raises(ValidationError):
        settings.silence_ms = 1  # type: ignore[misc]  # that is the test
    assert "s3cret" not in repr(settings)


def test_two_processes_of_a_host_have_two_names() -> None:
    assert load(Example).worker_id != load(Example).worker_id


def test_every_setting_says_what_it_means() -> None:
    assert [name for name, field in ServiceSettings.model_fields.items() if not field.description] == []
