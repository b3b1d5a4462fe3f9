"""The simulated carrier's REST API, through the vendor's own library and below it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from voxbus.devkit.carrier import Exchange, RestApi, Telephone
from voxbus.devkit.carrier.faults import (
    Fault,
    bad_gateway,
    drop,
    modern_refusal,
    nonsense,
    refusal,
    server_error,
    silence,
    too_many,
)
from voxbus.devkit.carrier.signing import sign

TOKEN = "secret"
NUMBER, OURS = "+15550100001", "+15550100002"


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    async with Exchange(auth_token=TOKEN, default=Telephone(ring_s=0.05)) as exchange:
        yield exchange


@pytest.fixture
async def api(exchange: Exchange) -> AsyncIterator[RestApi]:
    async with RestApi(exchange, own_numbers=frozenset({OURS})) as api:
        yield api


@pytest.fixture
async def http(api: RestApi, exchange: Exchange) -> AsyncIterator[httpx.AsyncClient]:
    base = f"{api.url}/2010-04-01/Accounts/{exchange.account_sid}"
    async with httpx.AsyncClient(
        base_url=base, auth=(exchange.account_sid, TOKEN), trust_env=False, timeout=30
    ) as http:
        yield http


def order(app: Any, **more: str | list[str]) -> dict[str, str | list[str]]:
    every = ["initiated", "ringing", "answered", "completed"]
    return {
        "To": NUMBER,
        "From": OURS,
        "Url": f"{app.url}/voice?session=s1",
        "StatusCallback": f"{app.url}/status?session=s1",
        "StatusCallbackEvent": every,
        **more,
    }


async def until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


def statuses(app: Any) -> list[str]:
    asked = app.asked_for("/status")
    return [one.form["CallStatus"] for one in sorted(asked, key=lambda one: int(one.form["SequenceNumber"]))]


async def test_an_ordered_call_rings_and_asks_for_its_document(
    app: Any, http: httpx.AsyncClient, exchange: Exchange
) -> None:
    answer = await http.post("/Calls.json", data=order(app))
    assert answer.status_code == 201
    view = answer.json()
    assert (view["status"], view["direction"], view["to"]) == ("queued", "outbound-api", NUMBER)
    await until(lambda: bool(app.sockets))
    (voice,) = app.asked_for("/voice")
    assert voice.target == "/voice?session=s1"
    assert voice.form["CallSid"] == view["sid"]
    assert voice.form["Direction"] == "outbound-api"
    signed = sign(TOKEN, f"{app.url}/voice?session=s1", voice.form)
    assert voice.headers["x-twilio-signature"] == signed
    fetched = (await http.get(f"/Calls/{view['sid']}.json")).json()
    assert fetched["status"] == "in-progress"
    await http.post(f"/Calls/{view['sid']}.json", data={"Status": "completed"})
    await until(lambda: len(statuses(app)) == 4)
    assert statuses(app) == ["initiated", "ringing", "in-progress", "completed"]
    assert (await http.get(f"/Calls/{view['sid']}.json")).json()["status"] == "completed"
    assert exchange.calls[view["sid"]].call.result.ended_by == "application"


@pytest.mark.parametrize("fate", ["busy", "no-answer", "failed"])
async def test_a_telephone_that_nobody_answers(
    app: Any, http: httpx.AsyncClient, exchange: Exchange, fate: Any
) -> None:
    exchange.telephones = {NUMBER: Telephone(fate=fate, ring_s=0.05)}
    await http.post("/Calls.json", data=order(app))
    await until(lambda: len(statuses(app)) == 3)
    assert statuses(app) == ["initiated", "ringing", fate]
    assert app.asked_for("/voice") == []


async def test_it_rings_no_longer_than_it_was_told(
    app: Any, http: httpx.AsyncClient, exchange: Exchange
) -> None:
    exchange.default = Telephone(ring_s=60)
    await http.post("/Calls.json", data=order(app, Timeout="0.1"))
    await until(lambda: len(statuses(app)) == 3)
    assert statuses(app)[-1] == "no-answer"


async def test_a_call_that_rings_can_be_canceled(
    app: Any, http: httpx.AsyncClient, exchange: Exchange
) -> None:
    exchange.default = Telephone(ring_s=60)
    sid = (await http.post("/Calls.json", data=order(app))).json()["sid"]
    await until(lambda: len(statuses(app)) == 2)
    await http.post(f"/Calls/{sid}.json", data={"Status": "canceled"})
    await until(lambda: len(statuses(app)) == 3)
    assert statuses(app)[-1] == "canceled"
    assert (await http.post(f"/Calls/{sid}.json", data={"Status": "completed"})).json()["code"] == 21220


async def test_a_live_call_can_be_sent_elsewhere(app: Any, http: httpx.AsyncClient) -> None:
    app.documents["/other"] = "<Say>hello</Say><Hangup/>"
    sid = (await http.post("/Calls.json", data=order(app))).json()["sid"]
    await until(lambda: bool(app.sockets))
    await http.post(f"/Calls/{sid}.json", data={"Url": f"{app.url}/other"})
    await until(lambda: len(statuses(app)) == 4)
    assert len(app.asked_for("/other")) == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"To": ""}, 21201),
        ({"To": "+1555"}, 21211),
        ({"To": "5550100001"}, 21211),
        ({"From": "+15550100999"}, 21210),
        ({"Url": "nowhere"}, 21205),
    ],
)
async def test_orders_that_cannot_be_dialled(
    app: Any, http: httpx.AsyncClient, api: RestApi, change: dict[str, str], code: int
) -> None:
    answer = await http.post("/Calls.json", data=order(app, **change))
    body = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (400, 400, code)
    assert str(code) in body["more_info"]
    assert api.placed == []


async def test_wrong_credentials_and_unknown_calls(app: Any, http: httpx.AsyncClient) -> None:
    wrong = await http.post("/Calls.json", data=order(app), auth=("AC1", "x"))
    assert (wrong.status_code, wrong.json()["code"]) == (401, 20003)
    missing = await http.get("/Calls/CA0.json")
    assert (missing.status_code, missing.json()["code"]) == (404, 20404)


async def test_the_list_can_be_searched(app: Any, http: httpx.AsyncClient, exchange: Exchange) -> None:
    exchange.put_through = False
    first = (await http.post("/Calls.json", data=order(app))).json()["sid"]
    other = (await http.post("/Calls.json", data=order(app, To="+15550100003"))).json()["sid"]
    everything = (await http.get("/Calls.json")).json()
    assert {call["sid"] for call in everything["calls"]} == {first, other}
    assert everything["next_page_uri"] is None
    some = (await http.get("/Calls.json", params={"To": NUMBER, "From": OURS})).json()
    assert [call["sid"] for call in some["calls"]] == [first]
    assert (await http.get("/Calls.json", params={"Status": "completed"})).json()["calls"] == []


@pytest.mark.parametrize(
    ("fault", "status", "placed"),
    [
        (too_many(), 429, 0),
        (refusal(21214), 400, 0),
        (modern_refusal(21214), 400, 0),
        (server_error(), 500, 0),
        (server_error(makes_call=True), 500, 1),
        (bad_gateway(), 502, 0),
        (bad_gateway(makes_call=True), 502, 1),
        (nonsense(), 200, 1),
    ],
)
async def test_faults_that_answer(
    app: Any,
    http: httpx.AsyncClient,
    api: RestApi,
    exchange: Exchange,
    fault: Fault,
    status: int,
    placed: int,
) -> None:
    exchange.put_through = False
    api.faults.append(fault)
    answer = await http.post("/Calls.json", data=order(app))
    assert (answer.status_code, len(api.placed), len(api.orders)) == (status, placed, 1)
    # Each fault is for one request.
    assert (await http.post("/Calls.json", data=order(app))).status_code == 201


@pytest.mark.parametrize("makes_call", [True, False])
async def test_faults_that_do_not_answer(
    app: Any, http: httpx.AsyncClient, api: RestApi, exchange: Exchange, makes_call: bool
) -> None:
    exchange.put_through = False
    api.faults += [silence(makes_call=makes_call), drop(makes_call=makes_call)]
    with pytest.raises(httpx.ReadTimeout):
        await http.post("/Calls.json", data=order(app), timeout=0.2)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await http.post("/Calls.json", data=order(app))
    assert len(api.placed) == 2 * makes_call
    assert len(api.orders) == 2
