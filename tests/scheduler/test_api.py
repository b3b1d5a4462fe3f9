"""The scheduler's API: who may, what may, and how it says no."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from voxbus.common.bus import Bus
from voxbus.scheduler import settle
from voxbus.scheduler.service import Scheduler

if TYPE_CHECKING:
    from tests.scheduler.conftest import Client

    from voxbus.devkit.carrier import Exchange, RestApi

faults = pytest.importorskip("voxbus.devkit.carrier.faults", reason="the devkit brings the carrier simulator")

MakeScheduler = Callable[..., Awaitable[Scheduler]]
ClientOf = Callable[[int], "Client"]


def refusal(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    assert set(body) == {"error", "message"}
    assert "\n" not in body["message"]
    return answer.status_code, body["error"]


@pytest.mark.parametrize("path", ["/v1/calls", "/trigger-outbound"])
async def test_an_order_is_taken(client: Client, carrier_api: RestApi, path: str) -> None:
    order = {"to": "+15550100001", "agent": "reminder", "variables": {"name": "Ann"}}
    answer = await client.http.post(path, json=order)
    assert answer.status_code == 202
    view = answer.json()
    assert answer.headers["location"] == f"/v1/calls/{view['id']}"
    assert (view["state"], view["callSid"], view["to"]) == ("queued", None, "+15550100001")
    placed = await client.until(view["id"], "placed")
    by_sid = await client.call(str(placed["callSid"]))
    assert by_sid["id"] == view["id"]
    assert by_sid["report"] is None


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer wrong", "Basic YTpi", "a secret of the api", "Bearer a secret of the apI"],
)
@pytest.mark.parametrize("path", ["/v1/calls", "/trigger-outbound"])
async def test_a_wrong_bearer_is_refused(
    client: Client, carrier_api: RestApi, authorization: str, path: str
) -> None:
    headers = {"authorization": authorization}
    answer = await client.http.post(path, json={"to": "+15550100001"}, headers=headers)
    assert refusal(answer) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    for get in ("/v1/calls", "/v1/calls/x"):
        assert refusal(await client.http.get(get, headers=headers)) == (401, "unauthorized")
    assert carrier_api.orders == []


@pytest.mark.parametrize(
    ("order", "code", "said"),
    [
        (b"not json", "bad_order", "JSON"),
        (b"[]", "bad_order", "object"),
        (b"{}", "bad_order", "to: Field required"),
        (b'{"to":"5550100001","agent":"reminder"}', "bad_order", "E.164"),
        (b'{"to":"+15550100001","agent":"reminder","variables":{"name":"Ann"},"x":1}', "bad_order", "x:"),
        (b'{"to":"+15550100001","agent":"nobody"}', "unknown_agent", "reminder"),
        (b'{"to":"+15550100001","agent":"reminder"}', "missing_variable", "{name}"),
        (b'{"to":"+15550100001","agent":"reminder","variables":{"name":7}}', "bad_order", "variables.name"),
        (b"\xff\xfe", "bad_order", ""),
    ],
)
async def test_a_wrong_order_is_refused_in_one_line(
    client: Client, carrier_api: RestApi, order: bytes, code: str, said: str
) -> None:
    answer = await client.http.post("/v1/calls", content=order)
    assert refusal(answer) == (422, code)
    message = answer.json()["message"]
    assert said in message
    assert "5550100001" not in message
    assert carrier_api.orders == []
    assert (await client.http.get("/v1/calls")).json()["calls"] == []


async def test_an_oversized_order_is_refused_while_it_comes(client: Client) -> None:
    answer = await client.http.post("/v1/calls", content=b"x" * 70_000)
    assert refusal(answer) == (413, "body_too_long")


async def test_a_body_without_an_end_is_cut_off(scheduler: Scheduler) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", scheduler.port)
    writer.write(
        b"POST /v1/calls HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        b"Authorization: Bearer a secret of the api\r\n\r\n"
    )
    writer.write((b"2710\r\n" + b"x" * 10_000 + b"\r\n") * 7)
    async with asyncio.timeout(30):
        answer = await reader.read()  # up to the end: the connection is closed
    assert answer.startswith(b"HTTP/1.1 413")
    writer.close()


async def test_a_repeated_order_is_the_same_call(client: Client, carrier_api: RestApi) -> None:
    answers = await asyncio.gather(*(client.order("key-1", to="+15550100001") for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 202]
    (call_id,) = {answer.json()["id"] for answer in answers}
    await client.until(call_id, "placed")
    assert len(carrier_api.orders) == 1
    other = await client.order("key-1", to="+15550100001", variables={"name": "Bob"})
    assert refusal(other) == (409, "key_reused")
    assert (await client.order("key-2")).status_code == 202
    # Without a key every order is a new one.
    assert (await client.ordered()) != (await client.ordered())


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "schl\u00fcssel".encode("latin-1").decode("latin-1")])
async def test_a_wrong_idempotency_key_is_refused(client: Client, key: str) -> None:
    order = {"to": "+15550100001", "agent": "reminder", "variables": {"name": "Ann"}}
    headers = [(b"idempotency-key", key.encode("latin-1"))]
    answer = await client.http.post("/v1/calls", json=order, headers=headers)
    assert refusal(answer) == (422, "bad_idempotency_key")


async def test_calls_are_listed_in_pages(client: Client) -> None:
    ids = [await client.ordered() for _ in range(3)]
    for call_id in ids:
        await client.until(call_id, "placed")
    first = (await client.http.get("/v1/calls", params={"limit": 2, "state": "placed"})).json()
    assert [call["id"] for call in first["calls"]] == [ids[2], ids[1]]
    rest = (await client.http.get("/v1/calls", params={"limit": 2, "cursor": first["nextCursor"]})).json()
    assert [call["id"] for call in rest["calls"]] == [ids[0]]
    assert rest["nextCursor"] is None


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=1000", "cursor=-1", "state=dancing"])
async def test_a_wrong_query_is_refused(client: Client, query: str) -> None:
    assert refusal(await client.http.get(f"/v1/calls?{query}")) == (422, "bad_query")


async def test_an_unknown_call_is_refused(client: Client) -> None:
    assert refusal(await client.http.get("/v1/calls/nobody")) == (404, "unknown_call")


@pytest.mark.parametrize(
    "variable", ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_FROM_NUMBER", "PUBLIC_URL"]
)
async def test_without_the_carriers_account_no_call_is_taken_and_the_rest_runs(
    make_scheduler: MakeScheduler, client_of: ClientOf, variable: str
) -> None:
    client = client_of((await make_scheduler(**{variable: ""})).port)
    answer = await client.order()
    assert refusal(answer) == (503, "not_configured")
    assert variable in answer.json()["message"]
    assert (await client.http.get("/v1/calls")).status_code == 200
    assert (await client.http.get("/health")).text == "OK"


async def test_without_its_secret_the_api_is_closed(
    make_scheduler: MakeScheduler, client_of: ClientOf
) -> None:
    client = client_of((await make_scheduler(SCHEDULER_SECRET="")).port)
    for answer in (await client.order(), await client.http.get("/v1/calls")):
        assert refusal(answer) == (503, "not_configured")
        assert "SCHEDULER_SECRET" in answer.json()["message"]


async def test_a_broken_agent_is_refused(client: Client, bus: Bus) -> None:
    await bus.agents.put("reminder", b"{}")
    assert refusal(await client.order()) == (422, "broken_agent")


async def test_health_and_readiness(client: Client) -> None:
    assert (await client.http.get("/health", headers={"authorization": ""})).text == "OK"
    assert (await client.http.get("/ready", headers={"authorization": ""})).status_code == 200


async def test_a_port_that_is_taken_is_an_error_that_names_the_setting(
    scheduler: Scheduler, make_scheduler: MakeScheduler, tmp_path: Path
) -> None:
    changes = {"SCHEDULER_PORT": str(scheduler.port), "DATABASE_URL": f"sqlite:///{tmp_path}/other.db"}
    with pytest.raises(OSError, match=f"SCHEDULER_PORT {scheduler.port}: "):
        await make_scheduler(**changes)


async def test_half_a_request_is_not_waited_for(make_scheduler: MakeScheduler) -> None:
    scheduler = await make_scheduler(REQUEST_SECONDS="0.3")
    reader, writer = await asyncio.open_connection("127.0.0.1", scheduler.port)
    writer.write(b"POST /v1/agent/call-report HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n{")
    async with asyncio.timeout(30):
        assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_more_connections_than_there_may_be_are_told_when_to_come_again(
    make_scheduler: MakeScheduler, client_of: ClientOf
) -> None:
    scheduler = await make_scheduler(MAX_CONNECTIONS="10")
    held = [await asyncio.open_connection("127.0.0.1", scheduler.port) for _ in range(10)]
    answer = await client_of(scheduler.port).http.get("/health")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    for _, writer in held:
        writer.close()


async def openapi(client: Client) -> dict[str, Any]:
    answer = await client.http.get("/openapi.json", headers={"authorization": ""})
    assert answer.status_code == 200
    document: dict[str, Any] = answer.json()
    return document


async def test_the_api_describes_itself(client: Client) -> None:
    document = await openapi(client)
    routes = {
        (method.upper(), path): route
        for path, methods in document["paths"].items()
        for method, route in methods.items()
    }
    for (method, path), route in routes.items():
        open_to_all = path in ("/health", "/ready", "/v1/agent/call-report")
        assert bool(route.get("security")) != open_to_all, path
        assert route["description"], path
        reads = method == "POST" and path.rpartition("/")[2] not in ("pause", "resume", "cancel")
        assert ("requestBody" in route) == reads, path
    assert "$ref" not in json.dumps([route.get("requestBody") for route in routes.values()])
    assert {path for _, path in routes} >= {
        "/v1/calls",
        "/v1/campaigns/{campaign_id}/contacts",
        "/v1/do-not-call",
    }


async def test_answers_are_what_the_document_says(client: Client) -> None:
    views = (await openapi(client))["components"]["schemas"]
    call_id = await client.ordered()
    view = await client.call(call_id)
    assert set(view) == set(views["RecordView"]["properties"])
    assert refusal(await client.http.get("/v1/calls/nobody")) == (404, "unknown_call")
    assert set(views["RefusalView"]["properties"]) == {"error", "message"}


async def test_a_queued_call_is_taken_back(
    client: Client, scheduler: Scheduler, carrier_api: RestApi
) -> None:
    await scheduler._stores.dispatch.rest(time.time() + 60)
    call_id = await client.ordered()
    answer = await client.http.delete(f"/v1/calls/{call_id}")
    assert (answer.status_code, answer.json()["state"]) == (202, "canceled")
    assert refusal(await client.http.delete(f"/v1/calls/{call_id}")) == (409, "call_is_over")
    assert refusal(await client.http.delete("/v1/calls/nobody")) == (404, "unknown_call")
    assert carrier_api.orders == []


async def test_a_ringing_call_is_hung_up(client: Client, exchange: Exchange) -> None:
    call_id = await client.ordered()
    await client.until(call_id, "placed")
    (outgoing,) = exchange.calls.values()
    hung_up = asyncio.Event()
    outgoing.call.hang_up = hung_up.set  # type: ignore[method-assign]
    assert (await client.http.delete(f"/v1/calls/{call_id}")).status_code == 202
    async with asyncio.timeout(30):
        await hung_up.wait()


async def test_a_call_is_hung_up_once_its_sid_is_known(
    client: Client, exchange: Exchange, carrier_api: RestApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settle, "SWEEP_S", 0.05)
    carrier_api.faults.append(faults.silence(makes_call=True))
    call_id = await client.ordered()
    async with asyncio.timeout(30):
        while not exchange.calls:
            await asyncio.sleep(0.01)
    (outgoing,) = exchange.calls.values()
    hung_up = asyncio.Event()
    outgoing.call.hang_up = hung_up.set  # type: ignore[method-assign]
    assert (await client.http.delete(f"/v1/calls/{call_id}")).status_code == 202
    async with asyncio.timeout(30):
        await hung_up.wait()
