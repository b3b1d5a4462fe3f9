"""The appointment agent asks the example CRM, and goes on without it where there is none."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from voxbus.common.agents import Agent
from voxbus.common.events import ToolCalled, ToolReturned

from .conftest import Call, StartProcess, StartWorker

pytest.importorskip("voxbus.devkit.crm", reason="the devkit has the example")

from voxbus.devkit.crm import Appointment, Crm

#: An answer that is late on a busy machine is no reason to say that one looks it up.
PATIENT = {"llm_tool_meanwhile_ms": 5000}


@pytest.fixture
async def crm(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Crm]:
    async with Crm() as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


def sentence(first: Appointment) -> str:
    return f"Your appointment with {first.provider} is on {first.day} at {first.time}."


@pytest.fixture(params=[True, False], ids=["inbound", "outbound"])
async def begun(call: Call, reminder: Agent, request: pytest.FixtureRequest) -> tuple[int, str]:
    """The turn in which the question is asked, and who is asked about."""
    await call.start(reminder, inbound=request.param)
    if not request.param:
        await call.say("hello", 1)
    return 2, "+15550100001" if request.param else "+15550100002"


async def test_the_appointment_is_the_crms(
    call: Call, crm: Crm, start_worker: StartWorker, begun: tuple[int, str]
) -> None:
    turn, number = begun
    await start_worker(**PATIENT)
    await call.reply_to(1)
    await call.say("when is my appointment", turn)
    await call.reply_to(turn)
    assert call.said(turn)[0] == sentence(crm.first)
    assert crm.asked == [f"GET {number}"]
    # What was learned is remembered, and nobody asks again.
    await call.say("yes that works", turn + 1)
    await call.reply_to(turn + 1)
    assert f"for {crm.first.day} at {crm.first.time}" in " ".join(call.said(turn + 1))
    assert len(crm.asked) == 1


async def test_without_a_crm_it_says_what_the_call_brought(
    call: Call, reminder: Agent, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CRM_URL", "CRM_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    await start_worker(**PATIENT)
    await call.start(reminder)
    await call.reply_to(1)
    await call.say("when is my appointment", 2)
    await call.reply_to(2)
    assert call.said(2)[0] == "Your appointment with Doctor Lee is on Thursday at ten in the morning."
    assert call.of(ToolCalled) == []


@pytest.mark.parametrize("fault", ["token", "gone"])
async def test_a_crm_that_fails_is_no_end(
    call: Call, reminder: Agent, crm: Crm, start_worker: StartWorker, fault: str
) -> None:
    if fault == "token":
        crm.token = "another one"
    else:
        await crm.__aexit__()
    await start_worker(**PATIENT)
    await call.start(reminder)
    await call.reply_to(1)
    await call.say("when is my appointment", 2)
    await call.reply_to(2)
    assert call.said(2)[0] == "Your appointment with Doctor Lee is on Thursday at ten in the morning."
    assert [returned.ok for returned in call.of(ToolReturned)] == [False]


async def test_a_scripted_reply_with_a_tool_is_finished_by_another_worker(
    call: Call, reminder: Agent, crm: Crm, start_process: StartProcess, start_worker: StartWorker
) -> None:
    first = await start_process(scripted_token_delay_ms=60, **PATIENT)
    await call.start(reminder)
    await call.reply_to(1)
    await call.say("when is my appointment", 2)
    await call.until(lambda: call.said(2))
    first.kill()
    await start_worker(**PATIENT)
    assert (await call.reply_to(2, 10)).reason == "complete"
    said = call.said(2)
    assert said[0] == sentence(crm.first)
    assert len(said) == len(set(said)) > 3
    assert len(crm.asked) == 1
