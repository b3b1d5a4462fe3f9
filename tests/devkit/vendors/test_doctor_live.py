"""``voxbus doctor --live`` over the simulated vendors."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from voxbus.devkit.docs.configuration import settings_classes
from voxbus.devkit.doctor import checks
from voxbus.devkit.doctor.findings import Finding
from voxbus.devkit.doctor.live import live
from voxbus.devkit.vendors.faults import Fault
from voxbus.devkit.vendors.server import SIMULATED, Vendors

SERVICES = {"stt": "STT_PROVIDERS", "llm": "LLM_PROVIDERS", "tts": "TTS_PROVIDERS"}


@pytest.fixture
async def vendors(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Vendors]:
    async with Vendors() as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        for service, variable in SERVICES.items():
            monkeypatch.setenv(variable, ",".join(SIMULATED[service]))
        yield made
        assert made.desk.protocol_errors == []


async def findings(*services: str) -> dict[str, Finding]:
    classes = {name: cls for name, cls in settings_classes().items() if name in (services or SERVICES)}
    loaded, _ = checks.settings(classes)
    return {finding.capability: finding async for finding in live(loaded)}


async def test_every_provider_is_asked_once(vendors: Vendors) -> None:
    found = await findings()
    assert list(found) == [f"{service} {name}" for service in SERVICES for name in SIMULATED[service]]
    assert {finding.verdict for finding in found.values()} == {"ok"}, found
    assert all(finding.text.endswith(" ms") for finding in found.values())


async def test_one_that_fails_is_named_with_its_cause(vendors: Vendors) -> None:
    vendors.desk.faults.always("deepgram-flux", Fault("unauthorized"))
    vendors.desk.faults.plan("openai", Fault("quota"))
    vendors.desk.faults.plan("elevenlabs", Fault("overloaded"))
    found = await findings()
    broken = {name: finding.text for name, finding in found.items() if finding.verdict == "broken"}
    assert list(broken) == ["stt deepgram-flux", "llm openai", "tts elevenlabs"]
    assert [text.split()[1] for text in broken.values()] == ["auth", "quota", "overloaded"]


async def test_a_missing_key_is_named(vendors: Vendors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CARTESIA_API_KEY")
    (found,) = (await findings("tts")).values()
    assert found.verdict == "broken"
    assert found.text.startswith("CARTESIA_API_KEY is not set")


async def test_what_is_embedded_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (*SERVICES.values(), "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    assert await findings() == {}
