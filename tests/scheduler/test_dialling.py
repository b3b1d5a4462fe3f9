"""From an order to a telephone: once, in order, and never twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from voxbus.common import subjects
from voxbus.common.agents import Agent
from voxbus.common.bus import Bus
from voxbus.common.context import CallContext, decode_context
from voxbus.common.events import Ended, Started, Status
from voxbus.scheduler import core_carrier, settle
from voxbus.scheduler.service import Scheduler

if TYPE_CHECKING:
    from tests.scheduler.conftest import Client

    from voxbus.devkit.carrier import Exchange, RestApi

faults = pytest.importorskip("voxbus.devkit.carrier.faults", reason="the devkit brings the carrier simulator")

MakeScheduler = Callable[..., Awaitable[Scheduler]]
ClientOf = Callable[[int], "Client"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "SWEEP_S", 0.05)
    monkeypatch.setattr(core_carrier, "BACKOFF_S", (0.1, 0.2, 0.4))


def session_of(form: dict[str, str], field: str = "Url") -> str:
    return parse_qs(urlsplit(form[field]).query)["session"][0]


async def started(bus: Bus, sid: str, session: str, agent: Agent) -> None:
    await bus.append(Started(call=sid, stream_sid="MZ", session=session, direction="outbound", agent=agent))


async def test_an_order_becomes_a_call(client: Client, carrier_api: RestApi, bus: Bus, agent: Agent) -> None:
    call_id = await client.ordered(to="+15550100001")
    view = await client.until(call_id, "placed")
    (form,) = carrier_api.orders
    (placed,) = carrier_api.placed
    assert view["callSid"] == placed.sid
    assert view["sessionId"] == call_id
    assert form["To"] == "+15550100001"
    assert form["Url"] == f"https://voxbus.example/twilio/voice?session={call_id}"
    assert session_of(form, "StatusCallback") == call_id
    for sequence, word in enumerate(("initiated", "ringing", "in-progress")):
        await bus.append(Status(call=placed.sid, sequence=sequence, status=word))
    await started(bus, placed.sid, call_id, agent)
    await client.until(call_id, "in_progress")
    await bus.append(Ended(call=placed.sid, reason="agent_hung_up"))
    await bus.append(Status(call=placed.sid, sequence=3, status="completed"))
    await client.until(call_id, "completed")
    history = await client.history(call_id)
    assert history[:4] == ["queued", "claimed", "dialling", "placed"]
    assert history[-2:] == ["in_progress", "completed"]


@pytest.mark.parametrize(
    ("on_machine", "mode"), [("off", None), ("hang_up", "Enable"), ("leave_message", "DetectMessageEnd")]
)
async def test_the_agent_says_whether_the_carrier_looks_for_machines(
    client: Client, carrier_api: RestApi, bus: Bus, agent: Agent, on_machine: str, mode: str | None
) -> None:
    agent = agent.model_copy(update={"name": "looking", "machine_detection": on_machine})
    await bus.agents.put(agent.name, agent.model_dump_json().encode())
    call_id = await client.ordered(agent="looking")
    await client.until(call_id, "placed")
    (form,) = carrier_api.orders
    assert form.get("MachineDetection") == mode
    if mode is not None:
        assert form["AsyncAmd"] == "true"
        assert form["AsyncAmdStatusCallback"] == f"https://voxbus.example/twilio/amd?session={call_id}"


async def test_a_machine_makes_a_voicemail(
    client: Client, carrier_api: RestApi, bus: Bus, agent: Agent
) -> None:
    call_id = await client.ordered()
    await client.until(call_id, "placed")
    sid = carrier_api.placed[0].sid
    await started(bus, sid, call_id, agent)
    await bus.append(Status(call=sid, sequence=0, session=call_id, answered_by="machine_end_beep"))
    await bus.append(Ended(call=sid, reason="agent_hung_up"))
    assert (await client.until(call_id, "voicemail"))["answeredBy"] == "machine_end_beep"


async def test_the_context_is_there_before_anything_rings(
    scheduler: Scheduler, client: Client, carrier_api: RestApi, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    contexts = scheduler._bus.contexts
    put, written, go_on = contexts.put, asyncio.Event(), asyncio.Event()

    async def slow_put(key: str, value: bytes) -> None:
        written.set()
        await go_on.wait()
        await put(key, value)

    monkeypatch.setattr(contexts, "put", slow_put)
    call_id = await client.ordered(variables={"name": "Ann", "day": "Friday"})
    await written.wait()
    await asyncio.sleep(0.1)
    assert carrier_api.orders == []
    go_on.set()
    await client.until(call_id, "placed")
    stored = await bus.contexts.get(subjects.context_of_session(call_id))
    assert stored is not None
    assert decode_context(stored) == CallContext(
        session=call_id, agent="reminder", direction="outbound", variables={"name": "Ann", "day": "Friday"}
    )


async def test_calls_are_dialled_in_the_order_they_came_at_the_accounts_pace(
    make_scheduler: MakeScheduler, client_of: ClientOf, carrier_api: RestApi
) -> None:
    client = client_of((await make_scheduler(CALLS_PER_SECOND="10")).port)
    start = time.monotonic()
    ids = [await client.ordered() for _ in range(6)]
    for call_id in ids:
        await client.until(call_id, "placed")
    assert time.monotonic() - start >= 0.5
    assert sorted(session_of(form) for form in carrier_api.orders) == sorted(ids)
    # Requests are on their way beside each other: a busy machine may have one overtake another.
    claimed = [await client.time_of(call_id, "claimed") for call_id in ids]
    assert claimed == sorted(claimed)


async def test_429_rests_the_queue_and_keeps_its_order(
    make_scheduler: MakeScheduler, client_of: ClientOf, carrier_api: RestApi
) -> None:
    carrier_api.faults += [faults.too_many(), faults.too_many()]
    client = client_of((await make_scheduler(DIALS_AT_ONCE="1")).port)
    start = time.monotonic()
    ids = [await client.ordered() for _ in range(3)]
    for call_id in ids:
        await client.until(call_id, "placed")
    assert time.monotonic() - start >= 0.3
    assert [session_of(form) for form in carrier_api.orders] == [ids[0], ids[0], *ids]
    assert (await client.history(ids[0])).count("dialling") == 3


async def test_a_fourth_429_ends_the_call(client: Client, carrier_api: RestApi) -> None:
    carrier_api.faults += [faults.too_many() for _ in range(4)]
    call_id = await client.ordered()
    view = await client.until(call_id, "failed")
    assert view["error"] == {"code": "20429", "message": core_carrier.TOO_MANY.words}
    assert len(carrier_api.orders) == 4
    assert carrier_api.placed == []
    await client.until(await client.ordered(), "placed")


@pytest.mark.parametrize("code", [21211, 21214, 21210, 21215, 22005])
async def test_a_refusal_is_final_and_said_in_plain_words(
    client: Client, carrier_api: RestApi, code: int
) -> None:
    carrier_api.faults.append(faults.refusal(code))
    view = await client.until(await client.ordered(), "failed")
    error = view["error"]
    assert isinstance(error, dict)
    assert error["code"] == str(code)
    assert error["message"].endswith(".")
    assert "{" not in error["message"]
    assert len(carrier_api.orders) == 1


TROUBLES = {
    "500": faults.server_error,
    "HTML 502": faults.bad_gateway,
    "nothing": faults.silence,
    "a reset": faults.drop,
    "nonsense": faults.nonsense,
}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_a_call_that_was_made_without_an_answer_is_found_in_the_list(
    client: Client, carrier_api: RestApi, trouble: str
) -> None:
    carrier_api.faults.append(TROUBLES[trouble](makes_call=True))
    call_id = await client.ordered()
    view = await client.until(call_id, "placed")
    assert [placed.sid for placed in carrier_api.placed] == [view["callSid"]]
    assert len(carrier_api.orders) == 1
    assert await client.history(call_id) == ["queued", "claimed", "dialling", "unconfirmed", "placed"]


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_a_call_that_nobody_can_find_is_unknown_and_never_dialled_again(
    make_scheduler: MakeScheduler, client_of: ClientOf, carrier_api: RestApi, trouble: str
) -> None:
    carrier_api.faults.append(TROUBLES[trouble](makes_call=False))
    client = client_of((await make_scheduler(RECONCILE_S="0.3")).port)
    call_id = await client.ordered()
    await client.until(call_id, "unknown")
    await client.until(await client.ordered(to="+15550100007"), "placed")
    await asyncio.sleep(0.3)
    assert [session_of(form) for form in carrier_api.orders].count(call_id) == 1
    assert (await client.call(call_id))["state"] == "unknown"


async def test_of_two_unanswered_requests_to_one_number_the_list_cannot_tell(
    make_scheduler: MakeScheduler,
    client_of: ClientOf,
    carrier_api: RestApi,
    bus: Bus,
    agent: Agent,
) -> None:
    # Only where the first is thought to be over while it may still be under way can there be a second.
    carrier_api.faults += [faults.silence(makes_call=True), faults.silence(makes_call=False)]
    carrier_api.list_faults += [faults.server_error() for _ in range(500)]
    scheduler = await make_scheduler(RECONCILE_S="1.5", CARRIER_TIMEOUT_S="0.5")
    object.__setattr__(scheduler._stores.dispatch._limits, "over_s", 0.0)
    client = client_of(scheduler.port)
    one = await client.ordered(to="+15550100001")
    await client.until(one, "unknown")
    two = await client.ordered(to="+15550100001")
    await client.until(two, "unconfirmed", "unknown")  # the one is soon over, on a busy machine
    carrier_api.list_faults.clear()
    await client.until(two, "unknown")
    # Its webhook can: it brings the session.
    (placed,) = carrier_api.placed
    await started(bus, placed.sid, one, agent)
    assert (await client.until(one, "in_progress"))["callSid"] == placed.sid
    assert (await client.call(two))["state"] == "unknown"


async def test_a_list_that_cannot_be_read_leaves_it_unknown(
    make_scheduler: MakeScheduler, client_of: ClientOf, carrier_api: RestApi
) -> None:
    carrier_api.faults.append(faults.silence(makes_call=True))
    carrier_api.list_faults += [faults.server_error() for _ in range(500)]
    client = client_of((await make_scheduler(RECONCILE_S="1")).port)
    await client.until(await client.ordered(), "unknown")
    assert len(carrier_api.orders) == 1


async def test_the_webhook_may_come_before_the_answer(
    make_scheduler: MakeScheduler, client_of: ClientOf, carrier_api: RestApi, bus: Bus, agent: Agent
) -> None:
    carrier_api.faults.append(faults.silence(makes_call=True))
    carrier_api.list_faults += [faults.server_error() for _ in range(500)]
    client = client_of((await make_scheduler(CARRIER_TIMEOUT_S="3")).port)
    call_id = await client.ordered()
    async with asyncio.timeout(30):
        while not carrier_api.placed:
            await asyncio.sleep(0.01)
    (placed,) = carrier_api.placed
    await started(bus, placed.sid, call_id, agent)
    view = await client.until(call_id, "in_progress")
    assert view["callSid"] == placed.sid
    await bus.append(Ended(call=placed.sid, reason="caller_hung_up"))
    await client.until(call_id, "completed")
    # The time of the request runs out, and changes nothing any more.
    await asyncio.sleep(3)
    assert (await client.history(call_id))[-2:] == ["in_progress", "completed"]


async def test_a_status_callback_with_the_session_tells_which_call_it_is(
    make_scheduler: MakeScheduler, client_of: ClientOf, carrier_api: RestApi, bus: Bus
) -> None:
    carrier_api.faults.append(faults.silence(makes_call=True))
    carrier_api.list_faults += [faults.server_error() for _ in range(500)]
    client = client_of((await make_scheduler()).port)
    call_id = await client.ordered()
    await client.until(call_id, "unconfirmed")
    (placed,) = carrier_api.placed
    await bus.append(
        Status(call=placed.sid, sequence=2, status="busy", session=call_id, direction="outbound")
    )
    view = await client.until(call_id, "busy")
    assert view["callSid"] == placed.sid


async def test_a_carrier_that_is_away_is_waited_for(
    make_scheduler: MakeScheduler, client_of: ClientOf, exchange: Exchange
) -> None:
    client = client_of((await make_scheduler(TWILIO_API_URL="http://127.0.0.1:1")).port)
    call_id = await client.ordered()
    async with asyncio.timeout(30):
        while (await client.history(call_id)).count("dialling") < 5:
            await asyncio.sleep(0.1)
    assert (await client.call(call_id))["error"] is None


async def test_an_order_that_waited_too_long_is_not_dialled(
    make_scheduler: MakeScheduler, client_of: ClientOf, carrier_api: RestApi
) -> None:
    client = client_of((await make_scheduler(TWILIO_API_URL="http://127.0.0.1:1", QUEUE_MAX_S="0.5")).port)
    view = await client.until(await client.ordered(), "failed")
    assert view["error"] == {"code": "expired", "message": core_carrier.EXPIRED.words}


async def test_an_agent_that_is_gone_when_its_turn_comes(
    client: Client, carrier_api: RestApi, bus: Bus, scheduler: Scheduler
) -> None:
    await scheduler._stores.dispatch.rest(time.time() + 0.5)
    call_id = await client.ordered()
    await bus.agents.delete("reminder")
    view = await client.until(call_id, "failed")
    error = view["error"]
    assert isinstance(error, dict)
    assert error["code"] == "unknown_agent"
    assert carrier_api.orders == []


async def test_two_schedulers_on_one_postgresql_dial_each_call_once_at_one_pace(
    make_scheduler: MakeScheduler, client_of: ClientOf, carrier_api: RestApi, postgresql_url: str
) -> None:
    changes = {"DATABASE_URL": postgresql_url, "CALLS_PER_SECOND": "10"}
    one, two = await make_scheduler(**changes), await make_scheduler(**changes)
    clients = [client_of(one.port), client_of(two.port)]
    start = time.monotonic()
    ids = await asyncio.gather(*(clients[n % 2].ordered() for n in range(20)))
    for call_id in ids:
        await clients[0].until(call_id, "placed")
    assert time.monotonic() - start >= 1.9
    assert sorted(session_of(form) for form in carrier_api.orders) == sorted(ids)


async def test_outcomes_that_came_while_no_scheduler_listened(
    make_scheduler: MakeScheduler, client_of: ClientOf, carrier_api: RestApi, bus: Bus, agent: Agent
) -> None:
    first = await make_scheduler()
    call_id = await client_of(first.port).ordered()
    await client_of(first.port).until(call_id, "placed")
    await first.drain()
    (placed,) = carrier_api.placed
    await started(bus, placed.sid, call_id, agent)
    await bus.append(Ended(call=placed.sid, reason="transferred"))
    second = await make_scheduler()
    await client_of(second.port).until(call_id, "transferred")


async def test_a_silent_call_is_asked_about(
    make_scheduler: MakeScheduler,
    client_of: ClientOf,
    carrier_api: RestApi,
    exchange: Exchange,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settle, "SILENT_S", 0.3)
    client = client_of((await make_scheduler()).port)
    call_id = await client.ordered()
    await client.until(call_id, "placed")
    (outgoing,) = exchange.calls.values()
    outgoing.call.result.status = "no-answer"
    await client.until(call_id, "no_answer")


async def test_an_archived_call_still_tells(
    make_scheduler: MakeScheduler,
    client_of: ClientOf,
    carrier_api: RestApi,
    bus: Bus,
    agent: Agent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its events were purged before any scheduler saw them."""
    first = await make_scheduler()
    call_id = await client_of(first.port).ordered()
    await client_of(first.port).until(call_id, "placed")
    await first.drain()
    (placed,) = carrier_api.placed
    await started(bus, placed.sid, call_id, agent)
    await bus.append(Ended(call=placed.sid, reason="caller_hung_up"))
    log = await bus.read_log(placed.sid)
    await bus.archive(placed.sid, log)
    await bus.purge_log(placed.sid, through=log[-1].sequence)
    monkeypatch.setattr(settle, "SILENT_S", 0.3)
    second = await make_scheduler()
    await client_of(second.port).until(call_id, "completed")


async def test_inbound_calls_are_nobodys_order(client: Client, bus: Bus, sid: str, agent: Agent) -> None:
    await bus.append(Started(call=sid, stream_sid="MZ", session="x", direction="inbound", agent=agent))
    await bus.append(Status(call=sid, sequence=0, status="completed"))
    await bus.append(Ended(call=sid, reason="caller_hung_up"))
    async with asyncio.timeout(30):
        while True:
            info = await bus.control.jetstream().consumer_info("CALLS", "scheduler")
            if not info.num_pending and not info.num_ack_pending:
                break
            await asyncio.sleep(0.02)
    assert (await client.http.get("/v1/calls")).json() == {"calls": [], "nextCursor": None}
