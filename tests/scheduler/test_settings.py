"""The scheduler's environment."""

from __future__ import annotations

import pytest

from voxbus.common.errors import SettingsError
from voxbus.common.settings import load
from voxbus.scheduler.settings import SchedulerSettings


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DATABASE_URL", "mysql://u:hunter2@h/n"),
        ("AGENT_SHARED_SECRET", "hunter2,"),
        ("AGENT_SHARED_SECRET", "a,hunter2,c"),
        ("TWILIO_ACCOUNT_SID", "hunter2"),
        ("TWILIO_FROM_NUMBER", "hunter2"),
        ("TWILIO_API_URL", "hunter2"),
        ("PUBLIC_URL", "hunter2"),
        ("CALLS_PER_SECOND", "0"),
    ],
)
def test_a_wrong_variable_is_named_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as caught:
        load(SchedulerSettings)
    assert f"{variable} is wrong" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_what_is_missing_for_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = {
        "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TWILIO_AUTH_TOKEN": "t",
        "TWILIO_FROM_NUMBER": "+15550100002",
        "PUBLIC_URL": "https://voxbus.example",
    }
    for variable in needed:
        monkeypatch.delenv(variable, raising=False)
    assert load(SchedulerSettings).missing_for_calls() == ", ".join(needed)
    for variable, value in needed.items():
        monkeypatch.setenv(variable, value)
    assert load(SchedulerSettings).missing_for_calls() == ""


@pytest.mark.parametrize(("value", "rings_at_night"), [("off", True), ("", False), ("22:00-07:00", False)])
def test_quiet_hours_are_off_for_who_says_so(
    monkeypatch: pytest.MonkeyPatch, value: str, rings_at_night: bool
) -> None:
    monkeypatch.setenv("QUIET_HOURS", value)
    quiet = load(SchedulerSettings).house.quiet
    assert [quiet.holds(hour * 60) for hour in (23, 12)] == [not rings_at_night, False]


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:hunter2@h/n")
    monkeypatch.setenv("AGENT_SHARED_SECRET", "hunter2")
    settings = load(SchedulerSettings)
    assert "hunter2" not in repr(settings)
    assert settings.report_secrets == (b"hunter2",)
    assert settings.database.password == "hunter2"


@pytest.mark.parametrize(
    ("url", "password"),
    [
        ("postgresql://voxbus@postgres/voxbus", "in a file"),
        ("postgresql://voxbus:of-the-url@postgres/voxbus", "of-the-url"),
        ("sqlite:///calls.db", None),
    ],
)
def test_the_password_may_be_apart_from_the_url(url: str, password: str | None) -> None:
    settings = SchedulerSettings.model_validate({"database_url": url, "database_password": "in a file"})
    assert settings.database.password == password
