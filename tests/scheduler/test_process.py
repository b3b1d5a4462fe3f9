"""Schedulers as processes that die at any moment: no number is ever dialled twice."""

from __future__ import annotations

import asyncio
import json
import random
import signal
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from voxbus.common.agents import Agent
from voxbus.common.bus import Bus
from voxbus.common.events import Ended, Started
from voxbus.scheduler.core_states import OUTCOMES

if TYPE_CHECKING:
    from tests.scheduler.conftest import Client, Spawn

    from voxbus.devkit.carrier import Exchange, RestApi

faults = pytest.importorskip("voxbus.devkit.carrier.faults", reason="the devkit brings the carrier simulator")

ClientOf = Callable[[int], "Client"]


def sessions(api: RestApi) -> Counter[str]:
    return Counter(parse_qs(urlsplit(form["Url"]).query)["session"][0] for form in api.orders)


async def answer_calls(bus: Bus, exchange: Exchange, agent: Agent) -> None:
    """The gateway's part: whatever rings is answered, and hung up."""
    done: set[str] = set()
    while True:
        for sid, outgoing in tuple(exchange.calls.items()):
            if sid not in done:
                done.add(sid)
                session = parse_qs(urlsplit(outgoing.resource.form["Url"]).query)["session"][0]
                await bus.append(
                    Started(call=sid, stream_sid="MZ", session=session, direction="outbound", agent=agent)
                )
                await bus.append(Ended(call=sid, reason="caller_hung_up"))
        await asyncio.sleep(0.05)


async def test_killed_in_a_loop_no_number_is_dialled_twice_and_every_call_has_its_outcome(
    spawn: Spawn, client_of: ClientOf, carrier_api: RestApi, exchange: Exchange, bus: Bus, agent: Agent
) -> None:
    moments = random.Random(3)
    settings = {"CALLS_PER_SECOND": "20", "RECONCILE_S": "4", "CARRIER_TIMEOUT_S": "1"}
    # The carrier takes its time now and then, so that deaths fall between the request and its answer.
    trouble = [
        faults.silence(makes_call=True),
        faults.silence(makes_call=False),
        faults.bad_gateway(makes_call=True),
    ]
    ids: list[str] = []
    answering = asyncio.create_task(answer_calls(bus, exchange, agent))
    for _ in range(3):
        child = await spawn(**settings)
        client = client_of(await child.port())
        for n in range(8):
            ids.append(await client.ordered(to=f"+1555010{len(ids):04d}"))
            if n == 2:
                carrier_api.faults.append(moments.choice(trouble))
        await asyncio.sleep(moments.uniform(0, 0.5))
        await child.kill()
    client = client_of(await (await spawn(**settings)).port())
    final = {*OUTCOMES, "unknown"}
    ended = [await client.until(call_id, *final, timeout_s=60) for call_id in ids]
    outcomes = Counter(str(view["state"]) for view in ended)
    answering.cancel()
    assert max(sessions(carrier_api).values()) == 1
    dialled = Counter(placed.to for placed in carrier_api.placed)
    assert max(dialled.values()) == 1
    # Every call that was made is known to be; what is unknown was never made.
    assert outcomes["completed"] == len(carrier_api.placed)
    assert outcomes["unknown"] == len(ids) - len(carrier_api.placed)


async def test_a_drain_waits_for_the_answer_to_a_request_that_left(
    spawn: Spawn, client_of: ClientOf, carrier_api: RestApi, exchange: Exchange
) -> None:
    carrier_api.faults.append(faults.silence(makes_call=True))
    leaving = await spawn(CARRIER_TIMEOUT_S="2")
    call_id = await client_of(await leaving.port()).ordered()
    async with asyncio.timeout(30):
        while not carrier_api.orders:
            await asyncio.sleep(0.01)
    leaving.process.send_signal(signal.SIGTERM)
    assert await leaving.process.wait() == 0
    staying = client_of(await (await spawn()).port())
    view = await staying.until(call_id, "placed")
    assert view["callSid"] == carrier_api.placed[0].sid
    assert len(carrier_api.orders) == 1


async def test_nothing_personal_is_logged(
    spawn: Spawn, client_of: ClientOf, carrier_api: RestApi, environment: dict[str, str]
) -> None:
    carrier_api.faults += [faults.refusal(21211), faults.bad_gateway(makes_call=True)]
    child = await spawn(LOG_LEVEL="debug")
    client = client_of(await child.port())
    await client.order(to="123")
    for state in ("failed", "placed", "placed"):
        await client.until(await client.ordered(variables={"name": "Annabel"}), state)
    await child.kill()
    said = json.dumps(child.lines)
    for private in ("5550100001", "5550100002", "Annabel", environment["SCHEDULER_SECRET"], "shared"):
        assert private not in said
