"""Scheduler, reporter and NATS are killed at random while a campaign calls a hundred people."""

from __future__ import annotations

import asyncio
import csv
import io
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from voxbus.common import subjects
from voxbus.common.agents import Agent
from voxbus.common.bus import Bus, BusConfig, ensure
from voxbus.common.errors import BusUnavailable
from voxbus.common.events import Ended, Event, Started

if TYPE_CHECKING:
    from tests.scheduler.conftest import Child, Client, Spawn

    from voxbus.devkit.carrier import Exchange, RestApi
    from voxbus.devkit.nats_server import NatsServer

pytest.importorskip("voxbus.reporter", reason="the reports of the calls")
faults = pytest.importorskip("voxbus.devkit.carrier.faults", reason="the devkit brings the carrier simulator")

CONTACTS = 100
DEATHS = 10
#: The time within which everything must be over, on a busy machine.
ALL_WITHIN_S = 240.0


@pytest.fixture
async def nats_url(nats_server: NatsServer) -> str:
    """A server that may die."""
    setup = await Bus.connect(BusConfig(url=nats_server.url, name="setup"))
    await ensure(setup)
    await setup.close()
    return nats_server.url


@pytest.fixture
async def workers(nats_url: str) -> AsyncIterator[None]:
    bus = await Bus.connect(BusConfig(url=nats_url, name="workers"))
    for worker in subjects.WORKERS:
        await bus.answer(subjects.capacity(worker), lambda _: b"1000")
    yield
    await bus.close()


async def say(bus: Bus, event: Event) -> None:
    """As a gateway does: until the bus has it."""
    while True:
        try:
            await bus.append(event)
        except BusUnavailable:
            await asyncio.sleep(0.1)
        else:
            return


async def hold(bus: Bus, call_sid: str, session: str, to: str, agent: Agent) -> None:
    """A conversation, as far as the log of it goes."""
    started = Started(
        call=call_sid, stream_sid="MZ", session=session, direction="outbound", to_number=to, agent=agent
    )
    await say(bus, started)
    await asyncio.sleep(0.3)
    await say(bus, Ended(call=call_sid, reason="agent_hung_up"))


async def answer_calls(bus: Bus, exchange: Exchange, agent: Agent) -> None:
    """The gateway's part: everybody lifts, and is hung up on."""
    seen: set[str] = set()
    async with asyncio.TaskGroup() as calls:
        while True:
            for sid, outgoing in tuple(exchange.calls.items()):
                if sid not in seen:
                    seen.add(sid)
                    session = parse_qs(urlsplit(outgoing.resource.form["Url"]).query)["session"][0]
                    calls.create_task(hold(bus, sid, session, outgoing.resource.to, agent))
            await asyncio.sleep(0.05)


class Office:
    """The scheduler and the reporter, alive again after each death."""

    def __init__(self, spawn: Spawn, client_of: Callable[[int], Client]) -> None:
        self._spawn = spawn
        self._client_of = client_of
        self._settings = {
            "CALLS_PER_SECOND": "20",
            "RECONCILE_S": "4",
            "CARRIER_TIMEOUT_S": "1",
            "QUIET_HOURS": "off",
            "LOG_KEEP_S": "3600",
        }
        self.children: dict[str, Child] = {}
        self.port = 0
        self.client: Client

    async def start(self, service: str) -> None:
        if service == "scheduler":
            # The reporter knows it by its port, which stays the same.
            child = await self._spawn(**self._settings, SCHEDULER_PORT=str(self.port))
            if not self.port:
                self.port = await child.port()
                # One for all requests: each client loads the certificates of the world, some megabytes of them.
                self.client = self._client_of(self.port)
            await child.port()
        else:
            child = await self._spawn("reporter", **self._settings, API_URL=f"http://127.0.0.1:{self.port}")
        self.children[service] = child

    async def kill(self, service: str) -> None:
        await self.children[service].kill()
        await self.start(service)


async def begin(client: Client) -> str:
    asked = {
        "name": "all of them",
        "agent": "reminder",
        "variables": {"name": "you"},
        "window": {"start": "00:00", "end": "24:00"},
        "callsPerSecond": 100,
        "callsInAir": 100,
    }
    campaign: str = (await client.http.post("/v1/campaigns", json=asked)).json()["id"]
    consent = {"source": "form", "at": "2025-01-01T00:00:00Z"}
    contacts = [{"to": f"+1212555{n:04d}", "consent": consent} for n in range(CONTACTS)]
    upload = await client.http.post(f"/v1/campaigns/{campaign}/contacts", json=contacts)
    assert upload.json()["accepted"] == CONTACTS
    return campaign


async def until(reached: Callable[[], Awaitable[bool]]) -> None:
    while not await reached():
        await asyncio.sleep(0.2)


async def test_no_number_is_dialled_twice_and_no_report_is_lost_or_doubled(
    nats_server: NatsServer,
    spawn: Spawn,
    client_of: Callable[[int], Client],
    carrier_api: RestApi,
    exchange: Exchange,
    bus: Bus,
    agent: Agent,
) -> None:
    from voxbus.reporter import ledger
    from voxbus.reporter.courier import Courier
    from voxbus.reporter.replay import replay

    chance = random.Random(11)
    office = Office(spawn, client_of)
    for service in ("scheduler", "reporter"):
        await office.start(service)
    campaign = await begin(office.client)
    answering = asyncio.create_task(answer_calls(bus, exchange, agent))
    trouble = [
        faults.silence(makes_call=True),
        faults.silence(makes_call=False),
        faults.bad_gateway(makes_call=True),
        faults.too_many(),
    ]
    async with asyncio.timeout(ALL_WITHIN_S):
        for n in range(DEATHS):
            carrier_api.faults.append(trouble[n % len(trouble)])
            await asyncio.sleep(chance.uniform(0.1, 0.6))
            victim = chance.choice(["scheduler", "scheduler", "reporter", "nats"])
            if victim == "nats":
                await nats_server.restart(down_s=chance.uniform(0, 0.5))
            else:
                await office.kill(victim)

        async def finished() -> bool:
            view: dict[str, Any] = (await office.client.http.get(f"/v1/campaigns/{campaign}")).json()
            assert view["state"] == "running", view["reason"]
            return bool(view["progress"]["finished"])

        async def reported() -> bool:
            # Who was away whenever a report came has it delivered as an operator does it.
            for lost in await ledger.lost(bus):
                await replay(bus, courier, lost.call_sid)
            answers = [
                await office.client.http.get(f"/v1/reports/{placed.sid}") for placed in carrier_api.placed
            ]
            return all(answer.status_code == 200 for answer in answers)

        courier = Courier(f"http://127.0.0.1:{office.port}", (b"new-shared",), 5.0)
        await until(finished)
        await until(reported)
    await courier.close()
    answering.cancel()
    rung = Counter(placed.to for placed in carrier_api.placed)
    assert max(rung.values()) == 1
    table = await office.client.http.get(f"/v1/campaigns/{campaign}/results.csv")
    results = {line["to"]: line["result"] for line in csv.DictReader(io.StringIO(table.text))}
    # Whoever was rung is known to have been; nobody knows of those whose request went astray, and they are left alone.
    assert results == {to: "completed" if to in rung else "unknown" for to in results}
    assert len(rung) >= CONTACTS - DEATHS
    ended = (await office.client.http.get("/v1/calls", params={"limit": 200})).json()["calls"]
    records = [await office.client.call(call["id"]) for call in ended]
    reports = [record["report"]["callSid"] for record in records if record["report"]]  # type: ignore[index]
    assert sorted(reports) == sorted(placed.sid for placed in carrier_api.placed)
