"""Who is not the carrier is not let in."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from voxbus.devkit.caller import Caller

from .conftest import PAUSE_MS

if TYPE_CHECKING:
    from tests.e2e.conftest import Phone

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


async def stay(caller: Caller) -> None:
    await caller.expect_hangup(timeout_s=30)


@pytest.mark.parametrize("auth_token", ["", "0123456789abcdef0123456789abcdef"])
async def test_a_webhook_that_is_not_signed_by_the_carrier(phone: Phone, auth_token: str) -> None:
    call = phone.carrier.prepare(replace(phone.plan(), auth_token=auth_token))
    result = await call.run(Caller(stay))
    assert result.ended_by == "carrier"
    assert result.debugger.entries[0].code == 11200
    assert "403" in result.debugger.entries[0].text
    assert await phone.bus.read_log(result.call_sid) == []


async def test_an_agent_that_does_not_exist(phone: Phone) -> None:
    result = await phone.carrier.call(phone.plan("nobody"), Caller(stay))
    assert result.ended_by == "carrier"
    assert result.debugger.codes[0] == 11200
    assert await phone.bus.read_log(result.call_sid, kinds=("started",)) == []


async def test_the_handshake_is_accepted_in_both_forms_of_its_url(phone: Phone) -> None:
    async def greeted(caller: Caller) -> None:
        await caller.listen(quiet_ms=PAUSE_MS)

    exact, slash = await asyncio.gather(phone.call(greeted), phone.call(greeted, sign_trailing_slash=True))
    assert exact.heard(1) == slash.heard(1) == "Hello, this is a test."
