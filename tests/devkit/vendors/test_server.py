"""The simulated vendors are strict, fail on request, and answer as the agent's dialogue does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from voxbus.common.agent_files import load_agents, resolve
from voxbus.devkit.vendors.desk import Desk
from voxbus.devkit.vendors.mind import Message, Mind
from voxbus.devkit.vendors.server import Vendors

AGENTS = load_agents(Path(__file__).parents[3] / "agents")
REMINDER = resolve(AGENTS["appointment_reminder"], {"appointment_day": "Friday"})
PROMPT = Message("system", REMINDER.prompt)
HELLO = Message("assistant", "Hello, this is the automated assistant.")


@pytest.fixture
async def vendors() -> AsyncIterator[Vendors]:
    async with Vendors(Desk(mind=Mind(AGENTS.values()))) as made:
        yield made


@pytest.fixture
async def http(vendors: Vendors) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(vendors.url) as session:
        yield session


def chat(**more: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": "x"}, {"role": "user", "content": "hello"}]
    return {"model": "m", "messages": messages, "stream": True, **more}


BEARER = {"Authorization": "Bearer k"}
TOKEN = {"Authorization": "Token k"}
SPEAK = "/deepgram/v1/speak?model=aura-2-thalia-en&encoding=mulaw&sample_rate=8000"
LISTEN = "/deepgram/v2/listen?model=flux-general-en&encoding=mulaw&sample_rate=8000"


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (chat(), {}, 401),
        (chat(wishes="none"), BEARER, 400),
        (chat(stream=False), BEARER, 400),
        ({"model": "m"}, BEARER, 400),
    ],
)
async def test_a_wrong_request_is_counted(
    vendors: Vendors, http: aiohttp.ClientSession, body: Any, headers: dict[str, str], status: int
) -> None:
    async with http.post("/openai/v1/chat/completions", json=body, headers=headers) as response:
        assert response.status == status
    assert len(vendors.desk.protocol_errors) == 1


@pytest.mark.parametrize(
    "url", [f"{SPEAK}&container=none", "/deepgram/v1/speak?model=aura-2-thalia-en", f"{LISTEN}&smart=1"]
)
async def test_a_wrong_handshake_is_counted(vendors: Vendors, http: aiohttp.ClientSession, url: str) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await http.ws_connect(url, headers=TOKEN)
    assert caught.value.status == 400
    assert len(vendors.desk.protocol_errors) == 1


@pytest.mark.parametrize("url", [SPEAK, LISTEN])
@pytest.mark.parametrize("message", ['{"type":"KeepAlive"}', "{oops", '{"type":"Flush","please":1}'])
async def test_a_wrong_message_is_counted_and_ends_the_connection(
    vendors: Vendors, http: aiohttp.ClientSession, url: str, message: str
) -> None:
    socket = await http.ws_connect(url, headers=TOKEN)
    await socket.send_str(message)
    told = [json.loads(received.data)["type"] async for received in socket]
    assert told[-1] == "Error"
    assert len(vendors.desk.protocol_errors) == 1


async def test_aura_stops_answering_flushes(vendors: Vendors, http: aiohttp.ClientSession) -> None:
    socket = await http.ws_connect(SPEAK, headers=TOKEN)
    for _ in range(21):
        await socket.send_str('{"type":"Flush"}')
    told = []
    while "Warning" not in told:
        told.append((await socket.receive_json(timeout=5))["type"])
    assert vendors.desk.protocol_errors == ["deepgram-aura: flushed too often"]
    await socket.close()


async def test_faults_over_http(vendors: Vendors, http: aiohttp.ClientSession) -> None:
    async with http.post(
        "/simulator/faults", json={"vendor": "openai", "kind": "quota", "times": 1}
    ) as asked:
        assert asked.status == 200
    statuses = []
    for _ in range(2):
        async with http.post("/openai/v1/chat/completions", json=chat(), headers=BEARER) as response:
            statuses.append(response.status)
    assert statuses == [429, 200]
    for wrong in ({"vendor": "nobody"}, {"vendor": "openai", "kind": "earthquake"}):
        async with http.post("/simulator/faults", json=wrong) as refused:
            assert refused.status == 400
    async with http.get("/simulator") as state:
        assert (await state.json())["counts"]["openai.requests"] == 2


def test_the_model_knows_the_agent_and_its_values_by_the_prompt() -> None:
    thought = Mind(AGENTS.values()).think([PROMPT, HELLO, Message("user", "Cancel my appointment.")])
    assert thought.say.startswith("You want to cancel your appointment on Friday")


def test_the_model_goes_on_where_it_stopped() -> None:
    mind = Mind(AGENTS.values())
    asked = [PROMPT, HELLO, Message("user", "What should I bring?")]
    whole = mind.think(asked).say
    first = whole.split(". ")[0] + "."
    rest = mind.think([*asked, Message("assistant", first), Message("system", "go on")]).say
    assert f"{first} {rest}" == whole


def test_what_was_said_before_the_greeting_and_beside_it_is_no_answer() -> None:
    mind = Mind(AGENTS.values())
    said = [PROMPT, Message("user", "hello?"), HELLO, Message("user", "(mm-hm) (pressed the keys 1)")]
    assert mind.think(said).say == mind.think([PROMPT, HELLO, Message("user", "(pressed the keys 1)")]).say
    assert mind.think([PROMPT, HELLO, Message("user", "no thank you goodbye")]).tool == "end_call"
    assert mind.think([Message("system", "You are a pirate.")]).say == "I see. Tell me more."
