"""Campaigns and the do-not-call list over HTTP, dialled for real against the simulated carrier."""

from __future__ import annotations

import asyncio
import csv
import io
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from voxbus.common import subjects
from voxbus.common.agents import Agent
from voxbus.common.bus import Bus, BusConfig
from voxbus.common.events import DoNotCallRequested, Ended, Started, Status
from voxbus.scheduler import settle
from voxbus.scheduler.service import Scheduler

if TYPE_CHECKING:
    from tests.scheduler.conftest import Client

    from voxbus.devkit.carrier import RestApi

faults = pytest.importorskip("voxbus.devkit.carrier.faults", reason="the devkit brings the carrier simulator")

MakeScheduler = Callable[..., Awaitable[Scheduler]]
ClientOf = Callable[[int], "Client"]

ANN, BOB, CLEO = "+12125550101", "+12125550102", "+12125550103"
ALWAYS = {"window": {"start": "00:00", "end": "24:00"}, "callsPerSecond": 100}
CONSENT = {"source": "web form", "at": "2025-01-02T03:04:05Z"}
CSV = {"content-type": "text/csv"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "SWEEP_S", 0.05)


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return environment | {"QUIET_HOURS": "off"}


class Api:
    def __init__(self, client: Client) -> None:
        self.client = client
        self.http = client.http

    async def campaign(self, *numbers: str, **fields: Any) -> str:
        """The id of a new campaign that may call ``numbers`` at any time."""
        body = {"name": "reminders", "agent": "reminder", "variables": {"name": "you"}} | ALWAYS | fields
        answer = await self.http.post("/v1/campaigns", json=body)
        assert answer.status_code == 201, answer.text
        campaign: str = answer.json()["id"]
        if numbers:
            upload = await self.upload(campaign, [{"to": number, "consent": CONSENT} for number in numbers])
            assert upload.json() == {"accepted": len(numbers), "refused": []}
        return campaign

    async def upload(self, campaign: str, contacts: list[Any]) -> httpx.Response:
        return await self.http.post(f"/v1/campaigns/{campaign}/contacts", json=contacts, timeout=120)

    async def view(self, campaign: str) -> dict[str, Any]:
        view: dict[str, Any] = (await self.http.get(f"/v1/campaigns/{campaign}")).json()
        return view

    async def until(self, campaign: str, **progress: object) -> dict[str, Any]:
        async with asyncio.timeout(30):
            while True:
                view = await self.view(campaign)
                if all(view["progress"][name] == value for name, value in progress.items()):
                    return view
                await asyncio.sleep(0.1)

    async def results(self, campaign: str) -> list[dict[str, str]]:
        answer = await self.http.get(f"/v1/campaigns/{campaign}/results.csv")
        assert answer.headers["content-type"].startswith("text/csv")
        return list(csv.DictReader(io.StringIO(answer.text)))


@pytest.fixture
def api(client: Client) -> Api:
    return Api(client)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    assert set(body) == {"error", "message"}
    return answer.status_code, body["error"]


@pytest.fixture
async def outcomes(bus: Bus, carrier_api: RestApi, agent: Agent) -> AsyncIterator[dict[str, str]]:
    """By number, how its calls come out; nobody answers the others."""
    told: dict[str, str] = {}

    async def tell() -> None:
        done: set[str] = set()
        while True:
            for placed in carrier_api.placed:
                if placed.sid in done or placed.to not in told:
                    continue
                done.add(placed.sid)
                session = parse_qs(urlsplit(placed.form["Url"]).query)["session"][0]
                if told[placed.to] == "completed":
                    await bus.append(
                        Started(
                            call=placed.sid,
                            stream_sid="MZ",
                            session=session,
                            direction="outbound",
                            to_number=placed.to,
                            agent=agent,
                        )
                    )
                    await bus.append(Ended(call=placed.sid, reason="agent_hung_up"))
                else:
                    await bus.append(
                        Status(call=placed.sid, sequence=2, status=told[placed.to], session=session)
                    )
            await asyncio.sleep(0.02)

    telling = asyncio.create_task(tell())
    yield told
    telling.cancel()


async def test_a_campaign_calls_everybody_once(
    api: Api, carrier_api: RestApi, outcomes: dict[str, str]
) -> None:
    outcomes.update({ANN: "completed", BOB: "busy"})
    campaign = await api.campaign(
        ANN, BOB, retry={"busy": {"afterSeconds": 60, "attempts": 1}}, variables={"name": "all"}
    )
    view = await api.until(campaign, finished=True)
    assert view["progress"]["results"] == {"completed": 1, "busy": 1}
    assert (view["state"], view["reason"]) == ("running", None)
    assert view["rules"]["retry"] == {"busy": {"afterSeconds": 60, "attempts": 1}}
    assert sorted(form["To"] for form in carrier_api.orders) == [ANN, BOB]
    ann, bob = await api.results(campaign)
    assert (ann["to"], ann["result"], ann["attempts"]) == (ANN, "completed", "1")
    assert (bob["to"], bob["result"]) == (BOB, "busy")
    record = await api.client.call(ann["call_sid"])
    assert record["campaign"] == campaign
    assert record["variables"] == {"name": "all"}
    listed = (await api.http.get("/v1/campaigns")).json()["campaigns"]
    assert [(one["id"], one["progress"]) for one in listed] == [(campaign, None)]


async def test_a_repeated_campaign_is_the_same_one(api: Api) -> None:
    body = {"name": "n", "agent": "reminder"}
    keys = {"idempotency-key": "k"}
    answers = [await api.http.post("/v1/campaigns", json=body, headers=keys) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    other = await api.http.post("/v1/campaigns", json=body | {"name": "m"}, headers=keys)
    assert refusal(other) == (409, "key_reused")


@pytest.mark.parametrize(
    ("fields", "code", "said"),
    [
        ({"agent": "nobody"}, "unknown_agent", "reminder"),
        ({"window": {"start": "9"}}, "bad_campaign", "HH:MM"),
        ({"window": {"days": []}}, "bad_campaign", "window.days"),
        ({"window": {"start": "12:00", "end": "12:00"}}, "bad_campaign", "quiet hours"),
        ({"fromNumber": "12"}, "bad_campaign", "fromNumber"),
        ({"retry": {"bored": {}}}, "bad_campaign", "retry"),
        ({"retry": {"busy": {"afterSeconds": 0, "attempts": 1}}}, "bad_campaign", "afterSeconds"),
        ({"callsPerSecond": 0}, "bad_campaign", "callsPerSecond"),
        ({"more": 1}, "bad_campaign", "more"),
    ],
)
async def test_a_wrong_campaign_is_refused(api: Api, fields: dict[str, Any], code: str, said: str) -> None:
    answer = await api.http.post("/v1/campaigns", json={"name": "n", "agent": "reminder"} | fields)
    assert refusal(answer) == (422, code)
    assert said in answer.json()["message"]


async def test_of_a_list_the_good_rows_are_kept(api: Api) -> None:
    campaign = await api.campaign(window={"days": ["mon"], "start": "09:00", "end": "09:01"})
    lines = "to,consent_source,consent_at,name\r\n" + "".join(
        f"{to},{source},2025-01-02T03:04:05Z,x\r\n"
        for to, source in ((ANN, "form"), (BOB, ""), ("+1", "form"), (ANN, "form"), (CLEO, "form"))
    )
    answer = await api.http.post(f"/v1/campaigns/{campaign}/contacts", content=lines, headers=CSV)
    body = answer.json()
    assert body["accepted"] == 2
    assert [(fault["line"], fault["reason"].split(":")[0]) for fault in body["refused"]] == [
        (3, "consent.source"),
        (4, "to"),
        (5, "to"),
    ]
    again = (await api.http.post(f"/v1/campaigns/{campaign}/contacts", content=lines, headers=CSV)).json()
    assert again["accepted"] == 0
    assert [fault["line"] for fault in again["refused"]] == [2, 3, 4, 5, 6]
    assert (await api.view(campaign))["progress"]["waiting"] == 2
    assert [row["state"] for row in await api.results(campaign)] == ["waiting", "waiting"]


async def test_a_contact_without_what_the_agent_says_is_refused(api: Api) -> None:
    campaign = await api.campaign(variables={})
    body = (await api.upload(campaign, [{"to": ANN, "consent": CONSENT}])).json()
    (fault,) = body["refused"]
    assert "{name}" in fault["reason"]


async def test_a_long_list_keeps_nobody_waiting(api: Api) -> None:
    campaign = await api.campaign(window={"days": ["mon"], "start": "09:00", "end": "09:01"})
    numbers = (f"+1212{200 + n // 10_000}{n % 10_000:04d}" for n in range(10_000))
    uploading = asyncio.create_task(
        api.upload(campaign, [{"to": number, "consent": CONSENT} for number in numbers])
    )
    answered = 0
    while not uploading.done():
        assert (await api.http.get("/health")).status_code == 200
        answered += 1
        await asyncio.sleep(0.02)
    assert (await uploading).json() == {"accepted": 10_000, "refused": []}
    assert answered > 10
    assert (await api.view(campaign))["progress"]["waiting"] == 10_000


async def test_a_wrong_upload_is_refused_as_a_whole(api: Api) -> None:
    campaign = await api.campaign()
    path = f"/v1/campaigns/{campaign}/contacts"
    assert refusal(await api.http.post(path, content=b"{")) == (415, "unsupported_media_type")
    assert refusal(await api.http.post(path, json={})) == (422, "not_a_list")
    assert refusal(await api.http.post(path, content=b"x", headers=CSV)) == (422, "not_a_list")
    assert refusal(await api.upload("nobody", [])) == (404, "unknown_campaign")


async def test_paused_resumed_canceled(api: Api, carrier_api: RestApi, outcomes: dict[str, str]) -> None:
    outcomes[ANN] = "completed"
    campaign = await api.campaign()
    path = f"/v1/campaigns/{campaign}"
    for _ in range(2):
        assert (await api.http.post(f"{path}/pause")).json()["state"] == "paused"
    await api.upload(campaign, [{"to": ANN, "consent": CONSENT}])
    await api.client.until(await api.client.ordered(), "placed")  # others are dialled meanwhile
    assert (await api.view(campaign))["progress"]["waiting"] == 1
    assert (await api.http.post(f"{path}/resume")).json()["state"] == "running"
    await api.until(campaign, finished=True)
    assert (await api.http.post(f"{path}/cancel")).json()["state"] == "canceled"
    assert refusal(await api.http.post(f"{path}/resume")) == (409, "campaign_is_over")
    assert refusal(await api.upload(campaign, [])) == (409, "campaign_is_over")
    assert refusal(await api.http.post("/v1/campaigns/nobody/pause")) == (404, "unknown_campaign")


async def test_the_breaker_pauses_a_campaign_that_the_carrier_refuses(api: Api, carrier_api: RestApi) -> None:
    carrier_api.faults += [faults.refusal(21210) for _ in range(10)]
    campaign = await api.campaign(*(f"+1212555{n:04d}" for n in range(100, 110)), callsInAir=1)
    async with asyncio.timeout(30):
        while (view := await api.view(campaign))["state"] != "paused":
            await asyncio.sleep(0.1)
    assert view["reason"] == "5 of 5 calls failed within 120 s; most often: 21210"
    assert len(carrier_api.orders) == 5


async def test_a_campaign_whose_agent_is_gone_is_paused(
    api: Api, bus: Bus, agent: Agent, outcomes: dict[str, str]
) -> None:
    campaign = await api.campaign()
    await api.http.post(f"/v1/campaigns/{campaign}/pause")
    await api.upload(campaign, [{"to": ANN, "consent": CONSENT}])
    await bus.agents.delete(agent.name)
    await api.http.post(f"/v1/campaigns/{campaign}/resume")
    async with asyncio.timeout(30):
        while (view := await api.view(campaign))["state"] != "paused":
            await asyncio.sleep(0.1)
    assert "There is no agent called 'reminder' any more" in view["reason"]
    await bus.agents.put(agent.name, agent.model_dump_json().encode())
    outcomes[ANN] = "completed"
    await api.http.post(f"/v1/campaigns/{campaign}/resume")
    view = await api.until(campaign, finished=True)
    assert view["progress"]["results"] == {"completed": 1}


async def test_nobody_on_the_list_is_called(api: Api, carrier_api: RestApi, outcomes: dict[str, str]) -> None:
    added = await api.http.post("/v1/do-not-call", json={"to": "+1 212 555 0101", "evidence": "a letter"})
    assert (added.status_code, added.json()["source"]) == (201, "api")
    imported = await api.http.post(
        "/v1/do-not-call/import", content=f"to,evidence\n{BOB},register\nx,\n", headers=CSV
    )
    assert imported.json()["added"] == 1
    assert [fault["line"] for fault in imported.json()["refused"]] == [3]
    assert (await api.http.post("/v1/do-not-call/import", json=[BOB, ANN])).json()["added"] == 0
    assert refusal(await api.client.order(to=ANN)) == (403, "do_not_call")
    outcomes[CLEO] = "completed"
    campaign = await api.campaign(ANN, BOB, CLEO)
    view = await api.until(campaign, finished=True)
    assert view["progress"]["results"] == {"do_not_call": 2, "completed": 1}
    assert [form["To"] for form in carrier_api.orders] == [CLEO]
    check = (await api.http.get(f"/v1/do-not-call/{ANN}")).json()
    assert (check["listed"], check["evidence"]) == (True, "a letter")
    assert (await api.http.get(f"/v1/do-not-call/{CLEO}")).json()["listed"] is False
    first = (await api.http.get("/v1/do-not-call", params={"limit": 1})).json()
    assert [one["number"] for one in first["numbers"]] == [ANN]
    rest = (await api.http.get("/v1/do-not-call", params={"cursor": first["nextCursor"]})).json()
    assert ([one["number"] for one in rest["numbers"]], rest["nextCursor"]) == ([BOB], None)
    assert (await api.http.delete(f"/v1/do-not-call/{ANN}")).status_code == 204
    assert refusal(await api.http.delete(f"/v1/do-not-call/{ANN}")) == (404, "not_listed")
    assert refusal(await api.http.get("/v1/do-not-call/12")) == (422, "bad_number")


@pytest.mark.parametrize("when", ["before the end", "after it", "when the log is gone"])
async def test_who_says_so_in_a_call_is_never_called_again(
    api: Api, carrier_api: RestApi, bus: Bus, agent: Agent, when: str
) -> None:
    call_id = await api.client.ordered(to=ANN)
    await api.client.until(call_id, "placed")
    (placed,) = carrier_api.placed
    await bus.append(
        Started(
            call=placed.sid,
            stream_sid="MZ",
            session=call_id,
            direction="outbound",
            from_number="+15550100002",
            to_number=ANN,
            agent=agent,
        )
    )
    words = "do not call me again"
    wish = DoNotCallRequested(call=placed.sid, turn=2, text=words)
    if when == "before the end":
        await bus.append(wish)
    ended = await bus.append(Ended(call=placed.sid, reason="agent_hung_up"))
    if when == "when the log is gone":
        await bus.archive(placed.sid, await bus.read_log(placed.sid, through=ended))
        await bus.purge_log(placed.sid, through=ended)
    if when != "before the end":
        await bus.append(wish)
    async with asyncio.timeout(30):
        while not (entry := (await api.http.get(f"/v1/do-not-call/{ANN}")).json())["listed"]:
            await asyncio.sleep(0.02)
    assert (entry["source"], entry["evidence"], entry["callSid"]) == ("call", words, placed.sid)
    assert entry["at"]
    assert refusal(await api.client.order(to=ANN)) == (403, "do_not_call")


@pytest.mark.parametrize(
    ("shown", "asked"),
    [
        ("+4402071838750", "+442071838750"),
        ("+442071838750", "+4402071838750"),
        # No number of its country, or not any more.
        ("+5215512345678", "+5215512345678"),
    ],
)
async def test_a_wish_is_found_however_the_number_was_shown(
    api: Api, bus: Bus, agent: Agent, shown: str, asked: str
) -> None:
    sid = f"CA{os.urandom(16).hex()}"
    await bus.append(
        Started(
            call=sid,
            stream_sid="MZ",
            session="",
            direction="inbound",
            from_number=shown,
            to_number=ANN,
            agent=agent,
        )
    )
    await bus.append(DoNotCallRequested(call=sid, turn=1, text="never again"))
    async with asyncio.timeout(30):
        while not (entry := (await api.http.get(f"/v1/do-not-call/{asked}")).json()).get("listed"):
            await asyncio.sleep(0.02)
    assert entry["callSid"] == sid
    if shown != asked:
        assert refusal(await api.client.order(to=shown)) == (403, "do_not_call")
        assert refusal(await api.client.order(to=asked)) == (403, "do_not_call")
    assert (await api.http.delete(f"/v1/do-not-call/{asked}")).status_code == 204
    assert (await api.http.get("/v1/do-not-call")).json()["numbers"] == []


async def test_without_workers_nobody_is_called(
    environment: dict[str, str], nats_server: Any, agent: Agent, client_of: ClientOf, carrier_api: RestApi
) -> None:
    """And as soon as there are some, everybody is."""
    from voxbus.common.bus import ensure
    from voxbus.scheduler.settings import SchedulerSettings

    config = BusConfig(url=nats_server.url, name="scheduler")
    own, workers = await Bus.connect(config), await Bus.connect(config)
    await ensure(own)
    await own.agents.put(agent.name, agent.model_dump_json().encode())
    values = {name.lower(): value for name, value in (environment | {"NATS_URL": nats_server.url}).items()}
    scheduler = Scheduler(SchedulerSettings.model_validate(values), own)
    await scheduler.start()
    client = client_of(scheduler.port)
    call_id = await client.ordered()
    await asyncio.sleep(1.5)
    assert carrier_api.orders == []
    for worker in subjects.WORKERS:
        await workers.answer(subjects.capacity(worker), lambda _: b"1")
    await client.until(call_id, "placed")
    other = await client.ordered()
    await asyncio.sleep(1.5)
    assert (await client.call(other))["state"] == "queued"
    await scheduler.drain()
    await own.close()
    await workers.close()
