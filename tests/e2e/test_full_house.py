"""Whoever calls when nobody can take the call hears so, from the carrier where we have no voice, and is hung up on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from voxbus.common.agent_files import load_agent
from voxbus.common.bus import Bus
from voxbus.common.fold import fold
from voxbus.devkit.carrier import CallPlan, CallResult, Carrier, Route
from voxbus.devkit.carrier.exchange import Silent
from voxbus.devkit.fuzz.control import Control
from voxbus.devkit.local_carrier import LocalCarrier
from voxbus.devkit.stack import SERVICES, Stack

pytestmark = pytest.mark.e2e

AGENTS = Path(__file__).parent / "agents"
PUBLIC_URL = "https://full.voxbus.test"
LINE = load_agent(AGENTS / "talker.yaml").lines.no_capacity


@dataclass
class House:
    stack: Stack
    plan: CallPlan
    auth_token: str

    async def call(self) -> CallResult:
        async with Carrier() as carrier, asyncio.timeout(60):
            return await carrier.prepare(self.plan).run(Silent())

    async def why(self, call_sid: str) -> tuple[str, str]:
        """What the log says of the end."""
        bus = await Bus.connect(self.stack.bus_config("e2e"))
        try:
            ended = fold(await bus.read_log(call_sid)).ended
        finally:
            await bus.close()
        assert ended is not None
        return ended.reason, ended.detail


@asynccontextmanager
async def house(*services: str, **env: str) -> AsyncIterator[House]:
    """A gateway, and of the others only ``services``."""
    counts: Mapping[str, int] = {name: int(name in ("gateway", *services)) for name in SERVICES}
    async with LocalCarrier(PUBLIC_URL) as local:
        ours = {"AGENTS_DIR": str(AGENTS), "PERSONA": "talker"}
        async with Stack(counts=counts, env=local.environment | ours | env) as stack:
            plan = CallPlan(
                voice_url=f"{PUBLIC_URL}/twilio/voice",
                auth_token=local.exchange.auth_token,
                route=Route(PUBLIC_URL, stack.gateway_urls),
            )
            yield House(stack, plan, local.exchange.auth_token)


@pytest.mark.parametrize(
    ("there", "detail"),
    [
        ((), "no STT worker took it"),
        (("stt",), "no LLM worker took it"),
        (("stt", "llm"), "no TTS worker took it"),
    ],
)
async def test_a_caller_whom_nobody_can_serve_is_told_so(there: tuple[str, ...], detail: str) -> None:
    async with house(*there) as full:
        result = await full.call()
        assert (result.said, result.ended_by) == ([LINE], "application")
        assert await full.why(result.call_sid) == ("no_capacity", detail)


async def test_a_caller_whose_stream_finds_no_room_is_told_so_and_who_is_in_does_not_notice() -> None:
    async with house(MAX_STREAMS="1", PUBLIC_URL="") as full:
        control = Control(
            full.stack.gateway_url, full.auth_token, lambda login: full.stack.bus_config("control", login)
        )
        await asyncio.to_thread(control.__enter__)
        try:
            result = await full.call()
        finally:
            witness = await asyncio.to_thread(control.witness)
        assert (result.said, result.ended_by) == ([LINE], "application")
        assert witness.sound, witness.text
