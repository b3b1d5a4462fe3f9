"""The documents say what the classes say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import Field, SecretStr

from voxbus.common.events import KINDS
from voxbus.common.publishers import PUBLISHERS
from voxbus.common.settings import ServiceSettings
from voxbus.devkit.cli import COMMANDS
from voxbus.devkit.docs import configuration, dotenv, events, metrics
from voxbus.devkit.docs.__main__ import DOCUMENTS, main
from voxbus.devkit.docs.glossary import GLOSSARY

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_are_up_to_date(name: str) -> None:
    assert (ROOT / name).read_text() == DOCUMENTS[name](), "run `make docs`"


def test_every_event_is_there_with_its_publisher() -> None:
    assert PUBLISHERS.keys() == KINDS.keys()
    page = events.page()
    assert [line[4:-1] for line in page.splitlines() if line.startswith("## `")] == list(KINDS)


def test_every_field_is_explained() -> None:
    assert events.unexplained() == []


def test_the_glossary_knows_no_field_that_is_gone() -> None:
    page = events.page()
    assert [name for name, meaning in GLOSSARY.items() if meaning not in page] == []


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("started", "key `0`."),
        ("sentence", "key `{turn}.{attempt}.{index}`."),
        ("utterance", "key `{turn}.{attempt}`, with `backchannel` `backchannel.{end_media_ms}`."),
        ("status", "key `{sequence}`, with `answered_by` `amd`."),
    ],
)
def test_keys_come_from_the_classes(kind: str, keys: str) -> None:
    section = events.page().split(f"## `{kind}`\n")[1].split("\n## ")[0]
    assert keys in section


class Example(ServiceSettings):
    api_key: SecretStr = Field(description="A key.")
    silence_ms: int = Field(default=500, ge=100, lt=5000, description="Silence | pause.")
    ratio: float = Field(default=0.50, description="A ratio.")
    strict: bool = Field(default=True, description="Strict?")
    base_url: str = Field(default="", validation_alias="EXAMPLE_BASE_URL", description="A URL.")


def test_settings_become_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration, "settings_classes", lambda: {"stt": Example, "tts": Example})
    page = configuration.page()
    assert "| `API_KEY` | **required** | A key. | stt, tts |" in page
    assert "| `SILENCE_MS` | `500` | Silence \\| pause. (at least 100, below 5000) | stt, tts |" in page
    assert "| `RATIO` | `0.5` | A ratio. | stt, tts |" in page
    assert "| `STRICT` | `true` |" in page
    assert "| `EXAMPLE_BASE_URL` | unset |" in page
    assert page.count("| `NATS_URL` |") == 1


def test_every_setting_of_every_service_has_a_meaning() -> None:
    classes: dict[str, type[ServiceSettings]] = {
        "common": ServiceSettings,
        **configuration.settings_classes(),
    }
    for name, cls in classes.items():
        assert [f"{name}: {field}" for field, info in cls.model_fields.items() if not info.description] == []


def test_check_names_what_is_stale_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs").mkdir()
    root = ["--root", str(tmp_path)]
    assert main([*root, "--check"]) == 1
    assert "docs/events.md is not what the classes say" in capsys.readouterr().out
    assert list((tmp_path / "docs").iterdir()) == []
    assert main(root) == 0
    assert main([*root, "--check"]) == 0


def test_every_metric_is_named_after_who_makes_it_and_explained() -> None:
    parts = metrics.by_part()
    assert {"common", "gateway", "stt", "llm", "tts", "scheduler", "reporter"} <= parts.keys()
    for part, found in parts.items():
        assert found
        for metric in found:
            begins = "voxbus_" if part == "common" else f"voxbus_{part}_"
            assert metric.name.startswith(begins), f"{metric.module} is no part of {part}"
            assert metric.meaning.endswith("."), metric.name


OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


def test_what_operators_are_told_to_watch_exists() -> None:
    known = {metric.name for found in metrics.by_part().values() for metric in found}
    named = {name.removesuffix("_bucket") for name in re.findall(r"voxbus_\w+", OPERATIONS)}
    assert len(named) > 20
    assert named - known == set()


def test_what_operators_are_told_to_type_and_to_set_exists() -> None:
    typed = set(re.findall(r"`voxbus (\w+)", OPERATIONS))
    assert typed - {name for name, _, _ in COMMANDS} == set()
    assert {"calls", "why", "tap"} <= typed
    known = set(re.findall(r"^\| `([A-Z_]+)`", configuration.page(), re.M))
    known |= {name for name, _, _ in dotenv.OWN}
    streams = {"CALLS", "ARCHIVE", "CALL", "FILE", "COPY", "DIR", "NAME"}
    assert set(re.findall(r"`([A-Z][A-Z_]+)[`=]", OPERATIONS)) - known - streams == set()


def test_every_link_of_the_operators_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", OPERATIONS)
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
