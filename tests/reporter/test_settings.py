"""The reporter's environment."""

from __future__ import annotations

import pytest

from voxbus.common.errors import SettingsError
from voxbus.common.settings import load
from voxbus.reporter.settings import ReporterSettings


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AGENT_SHARED_SECRET", "a,hunter2,c"),
        ("AGENT_SHARED_SECRET", "hunter2,"),
        ("API_URL", "hunter2:8000"),
        ("API_URL", "https://x/?token=hunter2"),
    ],
)
def test_a_wrong_variable_is_named_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv("API_URL", "http://127.0.0.1:8090")
    monkeypatch.setenv("AGENT_SHARED_SECRET", "secret")
    assert load(ReporterSettings).secrets == (b"secret",)
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as caught:
        load(ReporterSettings)
    assert f"{variable} is wrong" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_what_is_missing_for_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_URL", "")
    monkeypatch.setenv("AGENT_SHARED_SECRET", "")
    assert load(ReporterSettings).missing_for_delivery() == "API_URL, AGENT_SHARED_SECRET"
    assert load(ReporterSettings).secrets == ()
