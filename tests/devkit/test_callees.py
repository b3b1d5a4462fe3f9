"""Who answers a call: persons, machines, screeners."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from voxbus.common.audio import Pcm, mulaw_decode, rms_dbfs
from voxbus.devkit.callees import Callee, machine, mute, person, screener
from voxbus.devkit.caller import Caller
from voxbus.devkit.carrier import CallPlan, Carrier
from voxbus.devkit.carrier.plan import Detection

Tone = Callable[..., Pcm]


@pytest.fixture
async def carrier() -> AsyncIterator[Carrier]:
    async with Carrier() as carrier:
        yield carrier


def plan_of(app: Any, detection: Detection = "DetectMessageEnd") -> CallPlan:
    return CallPlan(
        voice_url=f"{app.url}/voice",
        direction="outbound-api",
        amd_url=f"{app.url}/amd",
        detection=detection,
    )


async def goodbye(caller: Caller) -> None:
    await caller.wait(100)


def listens(heard: list[bool]) -> Any:
    """An agent that notes of each frame whether it is loud."""

    async def agent(socket: Any) -> None:
        await socket.next("start")
        while True:
            frame = mulaw_decode(base64.b64decode((await socket.next("media"))["media"]["payload"]))
            heard.append(rms_dbfs(frame) > -40)

    return agent


@pytest.mark.parametrize(
    ("callee", "detection", "verdict"),
    [
        (lambda: person(goodbye), "DetectMessageEnd", "human"),
        (lambda: person(goodbye), "Enable", "human"),
        (
            lambda: machine("You have reached a mailbox.", longest_message_s=1.0),
            "DetectMessageEnd",
            "machine_end_beep",
        ),
        (lambda: machine("You have reached a mailbox.", longest_message_s=1.0), "Enable", "machine_start"),
    ],
)
async def test_detection_tells_who_answered(
    app: Any, carrier: Carrier, callee: Callable[[], Callee], detection: Detection, verdict: str
) -> None:
    await carrier.call(plan_of(app, detection), callee())
    (asked,) = app.asked_for("/amd")
    assert asked.form["AnsweredBy"] == verdict
    assert int(asked.form["MachineDetectionDuration"]) > 0


async def test_nobody_says_anything_and_detection_does_not_either(app: Any, carrier: Carrier) -> None:
    await carrier.call(plan_of(app), mute(goodbye))
    assert app.asked_for("/amd") == []


async def test_a_machine_listens_to_the_message_until_it_is_over(
    app: Any, carrier: Carrier, make_tone: Tone
) -> None:
    async def agent(socket: Any) -> None:
        await socket.next("start")
        await callee.greeted.wait()
        for _ in range(2):
            await socket.media(make_tone(600))
            await asyncio.sleep(1.5)  # shorter than what a machine takes for the end
        with contextlib.suppress(Exception):
            await socket.until_stopped()

    callee = machine("Leave a message.")
    app.agents = [agent]
    result = await carrier.call(plan_of(app), callee)
    assert result.ended_by == "caller"
    played = result.recording.played()
    assert len(played) == 2
    quiet_ms = result.recording.frames * 20 - played[-1].end_ms
    assert 2900 <= quiet_ms <= 3600


async def test_a_machine_takes_no_offence_at_being_hung_up_on(app: Any, carrier: Carrier) -> None:
    async def agent(socket: Any) -> None:
        await socket.next("start")

    app.agents = [agent]
    result = await carrier.call(plan_of(app), machine("You have reached a mailbox. Leave a message."))
    assert result.ended_by == "application"


async def test_a_screener_asks_and_puts_through(app: Any, carrier: Carrier, make_tone: Tone) -> None:
    through = asyncio.Event()

    async def conversation(caller: Caller) -> None:
        through.set()
        await goodbye(caller)

    async def agent(socket: Any) -> None:
        await socket.next("start")
        await callee.greeted.wait()
        assert not through.is_set()
        await socket.media(make_tone(500))
        await socket.until_stopped()

    callee = screener("Who is calling?", conversation)
    app.agents = [agent]
    await carrier.call(plan_of(app), callee)
    assert through.is_set()


async def test_a_person_speaks_first(app: Any, carrier: Carrier) -> None:
    heard: list[bool] = []
    app.agents = [listens(heard)]
    await carrier.call(plan_of(app), person(goodbye))
    assert not any(heard[:15])  # lifting the telephone takes a moment
    assert sum(heard) >= 8
