"""A number is connected: through a simulated carrier, to a real gateway behind real TLS."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import trustme

from voxbus.common.bus import Bus
from voxbus.devkit.account import Trouble
from voxbus.devkit.carrier import Exchange, IncomingNumber, RestApi, signing
from voxbus.devkit.commands.connect import connect
from voxbus.devkit.environment import AccountSettings
from voxbus.gateway.service import Gateway
from voxbus.gateway.settings import GatewaySettings

ROOT = Path(__file__).parents[2]
NUMBER, MUTE, TRUNKED = "+15550100010", "+15550100011", "+15550100012"
TOKEN = "0123456789abcdef0123456789abcdef"


@dataclass
class World:
    api: RestApi
    public_url: str

    def settings(self, **changes: str) -> AccountSettings:
        known = {
            "public_url": self.public_url,
            "twilio_account_sid": self.api.account["sid"],
            "twilio_auth_token": TOKEN,
            "twilio_api_url": self.api.url,
        }
        return AccountSettings.model_validate(known | changes)

    async def connect(self, number: str = NUMBER, *, agent: str = "", dry_run: bool = False) -> None:
        await connect(self.settings(), number, agent=agent, dry_run=dry_run)

    async def trouble(self, number: str = NUMBER, **changes: str) -> Trouble:
        with pytest.raises(Trouble) as raised:
            await connect(self.settings(**changes), number, agent="", dry_run=False)
        assert TOKEN not in f"{raised.value.text}{raised.value.remedy}"
        return raised.value

    def calls(self, number: str = NUMBER) -> dict[str, str]:
        """What the number calls."""
        (found,) = [one for one in self.api.numbers.values() if one.phone_number == number]
        return found.settings


class Tunnel:
    """Ends TLS and hands everything on to ``port``: what a tunnel or a reverse proxy does."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self.port = 0
        self.target = 0

    async def __aenter__(self) -> Tunnel:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self.target)
            await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
        except OSError:
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture
async def world(bus: Bus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    numbers = [
        IncomingNumber(NUMBER),
        IncomingNumber(MUTE, voice=False),
        IncomingNumber(TRUNKED, trunk_sid="TK" + "0" * 32),
    ]
    async with (
        Tunnel(context) as tunnel,
        Exchange(auth_token=TOKEN) as exchange,
        RestApi(exchange, numbers=numbers) as api,
    ):
        public_url = f"https://localhost:{tunnel.port}"
        settings = GatewaySettings(
            gateway_port=0, public_url=public_url, twilio_auth_token=TOKEN, agents_dir=ROOT / "agents"
        )
        gateway = Gateway(settings, bus)
        await gateway.start()
        tunnel.target = gateway.port
        yield World(api, public_url)
        await gateway.drain()


async def test_a_number_is_connected_and_its_call_is_answered(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.calls()["voice_application_sid"] = "AP" + "0" * 32
    await world.connect()
    assert world.calls() == {
        "voice_url": f"{world.public_url}/twilio/voice",
        "voice_method": "POST",
        "status_callback": f"{world.public_url}/twilio/status",
        "status_callback_method": "POST",
        "voice_application_sid": "",
    }
    shown = capsys.readouterr().out
    assert f"Voice URL: {world.public_url}/twilio/voice (was none)" in shown
    assert f"connected: call {NUMBER}" in shown
    url, form = world.calls()["voice_url"], {"CallSid": "CA" + "1" * 32, "Direction": "inbound"}
    async with httpx.AsyncClient(timeout=30) as twilio:
        answer = await twilio.post(url, data=form, headers={signing.HEADER: signing.sign(TOKEN, url, form)})
    assert answer.status_code == 200
    assert "<Stream" in answer.text


async def test_once_more_changes_nothing(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    await world.connect()
    before = dict(world.calls())
    capsys.readouterr()
    await world.connect()
    assert world.calls() == before
    assert f"Voice URL: {world.public_url}/twilio/voice, as before" in capsys.readouterr().out


async def test_a_number_of_another_agent(world: World) -> None:
    await world.connect(agent="kira")
    assert world.calls()["voice_url"] == f"{world.public_url}/twilio/voice?agent=kira"


async def test_an_agent_that_nobody_knows(world: World) -> None:
    with pytest.raises(Trouble) as raised:
        await world.connect(agent="nobody")
    assert "no agent has this name; known: account_exec" in raised.value.text
    assert world.calls() == {}


async def test_a_dry_run_changes_nothing(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    await world.connect(dry_run=True)
    assert world.calls() == {}
    assert "nothing was changed" in capsys.readouterr().out


async def test_a_trial_account_is_told_what_it_cannot_do(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.api.account["type"] = "Trial"
    await world.connect()
    assert "verified numbers only" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"twilio_account_sid": "", "public_url": ""}, "not set: PUBLIC_URL, TWILIO_ACCOUNT_SID"),
        ({"twilio_auth_token": "another"}, "refuses TWILIO_ACCOUNT_SID with TWILIO_AUTH_TOKEN"),
        ({"twilio_account_sid": "AC" + "1" * 32}, "refuses TWILIO_ACCOUNT_SID"),
        ({"public_url": "http://voice.example"}, "is not https"),
        ({"public_url": "https://localhost:1"}, "does not answer"),
        ({"twilio_api_url": "http://127.0.0.1:1"}, "does not answer"),
    ],
)
async def test_what_is_wrong_is_said_and_nothing_is_changed(
    world: World, changes: dict[str, str], said: str
) -> None:
    trouble = await world.trouble(**changes)
    assert said in trouble.text
    assert trouble.remedy
    assert world.calls() == {}


async def test_numbers_that_cannot_be_connected(world: World) -> None:
    stranger = await world.trouble("+15550100099")
    assert stranger.text == "+15550100099 is not a number of this account"
    assert f"it has {NUMBER}, {MUTE}, {TRUNKED}" in stranger.remedy
    world.api.numbers.clear()
    assert "it has none" in (await world.trouble()).remedy
    assert "no number with its country" in (await world.trouble("5550100")).text


@pytest.mark.parametrize(("number", "said"), [(MUTE, "cannot do voice"), (TRUNKED, "SIP trunk")])
async def test_numbers_that_take_no_calls_of_ours(world: World, number: str, said: str) -> None:
    assert said in (await world.trouble(number)).text


async def test_an_account_that_is_suspended(world: World) -> None:
    world.api.account["status"] = "suspended"
    assert "the account is suspended" in (await world.trouble()).text


async def test_a_gateway_with_another_token_or_another_name(world: World) -> None:
    # The carrier takes this token, and the gateway was started with the other one.
    world.api._exchange.auth_token = "fedcba9876543210fedcba9876543210"
    trouble = await world.trouble(twilio_auth_token="fedcba9876543210fedcba9876543210")
    assert "refuses the signature" in trouble.text
    assert "PUBLIC_URL" in trouble.remedy
