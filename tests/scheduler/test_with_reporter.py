"""Both ends of a report: what the reporter signs and sends, the scheduler believes and keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

from voxbus.common.agents import Agent
from voxbus.common.bus import Bus, BusConfig
from voxbus.common.events import Ended, ReportDelivered, ReportLost, Started, Status
from voxbus.common.fold import fold
from voxbus.scheduler.service import Scheduler

if TYPE_CHECKING:
    from tests.scheduler.conftest import Client

    from voxbus.devkit.carrier import RestApi

pytest.importorskip("voxbus.reporter", reason="the other end of the report")

MakeScheduler = Callable[..., Awaitable[Scheduler]]


async def until_reported(bus: Bus, sid: str) -> ReportDelivered | ReportLost:
    async with asyncio.timeout(30):
        while (reported := fold(await bus.read_log(sid)).reported) is None:
            await asyncio.sleep(0.02)
    return reported


@pytest.mark.parametrize("answered", [True, False])
async def test_the_report_of_a_call_out_comes_back_to_its_order(
    scheduler: Scheduler,
    client: Client,
    carrier_api: RestApi,
    bus: Bus,
    nats_url: str,
    agent: Agent,
    answered: bool,
) -> None:
    from voxbus.reporter.service import Reporter
    from voxbus.reporter.settings import ReporterSettings

    settings = ReporterSettings.model_validate(
        {"api_url": f"http://127.0.0.1:{scheduler.port}", "agent_shared_secret": "old-shared"}
    )
    reporter_bus = await Bus.connect(BusConfig(url=nats_url, name="reporter"))
    reporter = Reporter(settings, reporter_bus)
    await reporter.start()
    call_id = await client.ordered()
    await client.until(call_id, "placed")
    (placed,) = carrier_api.placed
    if answered:
        await bus.append(
            Started(call=placed.sid, stream_sid="MZ", session=call_id, direction="outbound", agent=agent)
        )
        await bus.append(Ended(call=placed.sid, reason="agent_hung_up"))
    else:
        await bus.append(
            Status(call=placed.sid, sequence=2, status="no-answer", session=call_id, direction="outbound")
        )
        await bus.append(Ended(call=placed.sid, reason="carrier", detail="no-answer"))
    assert await until_reported(bus, placed.sid) == ReportDelivered(call=placed.sid, attempts=1)
    view = await client.until(call_id, "completed" if answered else "no_answer")
    report = view["report"]
    assert isinstance(report, dict)
    assert (report["callSid"], report["sessionId"]) == (placed.sid, call_id)
    assert report["outcome"] == view["state"]
    await reporter.drain()
    await reporter_bus.close()
