"""The demo's side of the scheduler, before a real one and a simulated carrier."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from voxbus.common import subjects
from voxbus.common.agents import Agent
from voxbus.common.bus import Bus
from voxbus.common.events import Ended, Started
from voxbus.devkit.carrier import Exchange, RestApi
from voxbus.devkit.carrier.faults import refusal
from voxbus.devkit.demo.office import NotOrdered, Office
from voxbus.devkit.stack import SERVICES, Stack


@dataclass
class Place:
    office: Office
    api: RestApi
    bus: Bus
    agent: Agent


@pytest.fixture
async def place(agent: Agent) -> AsyncIterator[Place]:
    async with Exchange(auth_token="t", put_through=False) as exchange, RestApi(exchange) as api:
        environment = {
            "TWILIO_ACCOUNT_SID": exchange.account_sid,
            "TWILIO_AUTH_TOKEN": "t",
            "TWILIO_FROM_NUMBER": "+15550100100",
            "TWILIO_API_URL": api.url,
            "PUBLIC_URL": "https://voice.example",
            "CALLS_PER_SECOND": "50",
        }
        counts = dict.fromkeys(SERVICES, 0) | {"scheduler": 1, "reporter": 1}
        async with Stack(counts=counts, env=environment) as stack:
            buses = {
                login: await Bus.connect(stack.bus_config("test", login))
                for login in ("gateway", *subjects.WORKERS)
            }
            for worker in subjects.WORKERS:  # before the scheduler dials it asks whether somebody could talk
                await buses[worker].answer(subjects.capacity(worker), lambda _: b"1")
            bus = buses["gateway"]
            await bus.agents.put(agent.name, agent.model_dump_json().encode())
            bearer = {"authorization": f"Bearer {stack.secret('SCHEDULER_SECRET')}"}
            async with httpx.AsyncClient(
                base_url=stack.scheduler_url, headers=bearer, trust_env=False, timeout=30
            ) as http:
                yield Place(Office(http), api, bus, agent)
            for connection in buses.values():
                await connection.close()


async def test_an_order_from_the_request_to_the_report(place: Place) -> None:
    office, agent = place.office, place.agent
    call_id = await office.order("+15550100142", agent.name, {})
    sid = await office.placed(call_id, 10)
    assert [placed.sid for placed in place.api.placed] == [sid]
    assert await office.report(sid) is None
    assert (await office.came_out(call_id, 0.1)).state == "placed"

    await place.bus.append(
        Started(call=sid, stream_sid="MZ", session=call_id, direction="outbound", agent=agent)
    )
    await place.bus.append(Ended(call=sid, reason="agent_hung_up"))
    async with asyncio.timeout(30):
        while await office.report(sid) is None:
            await asyncio.sleep(0.05)
    order = await office.came_out(call_id, 10)
    assert (order.to, order.state) == ("+15550100142", "completed")
    assert [step.state for step in order.steps][:4] == ["queued", "claimed", "dialling", "placed"]
    assert order.steps[0].at_ms == 0
    assert [step.at_ms for step in order.steps] == sorted(step.at_ms for step in order.steps)

    with pytest.raises(NotOrdered, match=r"422: .*unknown_agent"):
        await office.order("+15550100142", "nobody", {})
    place.api.faults.append(refusal(21211))
    with pytest.raises(NotOrdered, match="it is failed"):
        await office.placed(await office.order("+15550100142", agent.name, {}), 10)
