"""Each capability: there, missing, broken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from pydantic import Field, SecretStr

from voxbus.common.bus import BusConfig
from voxbus.common.settings import ServiceSettings
from voxbus.devkit.commands.doctor import text
from voxbus.devkit.docs.configuration import settings_classes
from voxbus.devkit.doctor import checks, tools
from voxbus.devkit.doctor.findings import Finding
from voxbus.llm.tools import Environment

ROOT = Path(__file__).parents[2]


class Tts(ServiceSettings):
    tts_providers: str = "espeak"
    other_api_key: SecretStr | None = None
    speed: int = Field(default=1, ge=0)


async def test_nats(nats_url: str, unused_tcp_port: int) -> None:
    assert (await checks.nats(BusConfig(url=nats_url))).verdict == "ok"
    missing = await checks.nats(BusConfig(url=f"nats://user:secret@127.0.0.1:{unused_tcp_port}"))
    assert missing.verdict == "missing"
    assert "secret" not in missing.text


def test_settings_that_can_be_read_and_one_that_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded, findings = checks.settings({"tts": Tts})
    assert [finding.verdict for finding in findings] == ["ok"]
    (providers,) = checks.providers(loaded)
    assert providers.text == "TTS_PROVIDERS is espeak; keys: none"
    monkeypatch.setenv("SPEED", "fast")
    loaded, (broken,) = checks.settings({"tts": Tts})
    assert (loaded, broken.verdict) == ({}, "broken")
    assert "SPEED" in broken.text


def test_a_key_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER_API_KEY", "hush")
    loaded, _ = checks.settings({"tts": Tts})
    (finding,) = checks.providers(loaded)
    assert finding.text.endswith("keys: OTHER_API_KEY")


class Llm(ServiceSettings):
    llm_providers: str = ""

    @property
    def providers(self) -> str:
        return self.llm_providers or "scripted"


def test_what_an_unset_provider_means_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    (unset,) = checks.providers({"llm": Llm()})
    assert unset.text == "LLM_PROVIDERS is not set, which means scripted; keys: none"
    (given,) = checks.providers({"llm": Llm(llm_providers="scripted")})
    assert given.text == "LLM_PROVIDERS is scripted; keys: none"


@pytest.mark.parametrize(("first_token_ms", "found"), [("3000", 0), ("12000", 0), ("14000", 1), ("30000", 1)])
def test_a_gateway_that_gives_up_before_the_model_does(
    first_token_ms: str, found: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_FIRST_TOKEN_MS", first_token_ms)
    monkeypatch.delenv("NO_REPLY_SECONDS", raising=False)
    loaded, _ = checks.settings({name: settings_classes()[name] for name in ("gateway", "llm")})
    findings = list(checks.patience(loaded))
    assert len(findings) == found
    assert all(finding.verdict == "broken" for finding in findings)


def test_agents(tmp_path: Path) -> None:
    assert checks.agents(ROOT / "agents", "appointment_reminder").verdict == "ok"
    assert checks.agents(ROOT / "agents", "nobody").verdict == "broken"
    assert checks.agents(tmp_path, "appointment_reminder").verdict == "broken"
    (tmp_path / "broken.yaml").write_text("name: [")
    assert "broken.yaml" in checks.agents(tmp_path, "broken").text


def test_what_tools_need_is_told_by_name(tmp_path: Path) -> None:
    def found(**given: str) -> list[tuple[str, str]]:
        environment = Environment(frozenset({"OPENAI_API_KEY"}), given=given)
        return [(f.verdict, f"{f.text} {f.remedy}") for f in tools.tools(tmp_path, environment)]

    clerk = "name: clerk\nprompt: x\nlines: {greeting: Hello.}\n"
    (tmp_path / "clerk.yaml").write_text(clerk)
    assert found() == []
    tool = "tools: [{name: ask, description: x, url: '${CRM_URL}/x', headers: {A: '${CRM_TOKEN}'}, optional: %s}]\n"
    (tmp_path / "clerk.yaml").write_text(clerk + tool % "true")
    assert found() == [("missing", "ask of clerk is not set up, which is optional set CRM_URL, CRM_TOKEN")]
    assert found(CRM_URL="https://crm.example.com", CRM_TOKEN="hush") == [("ok", "ask of clerk ")]
    ((verdict, text),) = found(CRM_TOKEN="hush")
    assert verdict == "broken"
    assert text.startswith("the tool ask of the agent clerk: CRM_URL is not set; set it, too")
    assert "hush" not in text
    (tmp_path / "clerk.yaml").write_text(clerk + tool % "false")
    assert [verdict for verdict, _ in found()] == ["broken"]
    (tmp_path / "clerk.yaml").write_text("nonsense")
    assert found() == []


@pytest.mark.parametrize(
    ("token", "validate", "public_url", "verdict"),
    [
        (SecretStr("t"), True, "", "ok"),
        (None, True, "", "missing"),
        (None, False, "", "ok"),
        (SecretStr("t"), False, "https://voice.example", "broken"),
    ],
)
def test_twilio(token: SecretStr | None, validate: bool, public_url: str, verdict: str) -> None:
    assert checks.twilio(token, validate=validate, public_url=public_url).verdict == verdict


@pytest.fixture
async def http() -> AsyncIterator[Callable[[httpx.MockTransport], httpx.AsyncClient]]:
    clients = []

    def client(transport: httpx.MockTransport) -> httpx.AsyncClient:
        clients.append(httpx.AsyncClient(transport=transport))
        return clients[-1]

    yield client
    await asyncio.gather(*(client.aclose() for client in clients))


def gateway(request: httpx.Request) -> httpx.Response:
    assert request.url.path == "/health"
    return httpx.Response(200, headers={checks.NONCE_HEADER: request.url.params["nonce"]}, text="OK")


def stranger(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, headers={checks.NONCE_HEADER: "another"}, text="OK")


def nobody(_request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


# TLS and a public name cannot be had in a test, so this is the one place where HTTP is only played.
@pytest.mark.parametrize(
    ("url", "answer", "verdict", "said"),
    [
        ("", nobody, "missing", "not set"),
        ("http://voice.example", gateway, "broken", "not https"),
        ("https://voice.example/", gateway, "ok", "our gateway"),
        ("https://voice.example", stranger, "broken", "not our gateway"),
        ("https://voice.example", nobody, "broken", "does not answer"),
    ],
)
async def test_the_public_url(
    http: Callable[[httpx.MockTransport], httpx.AsyncClient],
    url: str,
    answer: Callable[[httpx.Request], httpx.Response],
    verdict: str,
    said: str,
) -> None:
    finding = await checks.public_url(url, http(httpx.MockTransport(answer)))
    assert finding.verdict == verdict
    assert said in finding.text


def test_a_finding_is_read_by_a_person() -> None:
    shown = text(Finding("public URL", "missing", "PUBLIC_URL is not set", "open a tunnel"))
    assert shown.split() == [
        "public",
        "URL",
        "missing",
        "PUBLIC_URL",
        "is",
        "not",
        "set",
        "->",
        "open",
        "a",
        "tunnel",
    ]
