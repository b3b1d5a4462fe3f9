"""Reports come in: believed when signed, kept once."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from voxbus.common import signing
from voxbus.scheduler.service import Scheduler

if TYPE_CHECKING:
    from tests.scheduler.conftest import Client

    from voxbus.devkit.carrier import RestApi

MakeScheduler = Callable[..., Awaitable[Scheduler]]
ClientOf = Callable[[int], "Client"]
SID = "CA" + "a" * 32


def report(**changes: Any) -> bytes:
    body = {
        "version": 1,
        "callSid": SID,
        "sessionId": "",
        "direction": "inbound",
        "from": "+15550100001",
        "to": "+15550100002",
        "agent": "reminder",
        "startedAt": "2026-01-01T00:00:00Z",
        "endedAt": "2026-01-01T00:01:00Z",
        "durationMs": 60000,
        "outcome": "completed",
        "endReason": "caller_hung_up",
        "endDetail": "",
        "answeredBy": "",
        "transcript": [],
        "turns": [],
        "interruptions": 0,
        "droppedFrames": 0,
        "fallbacks": [],
        "usage": {"llm": [], "tts": [], "callMs": 60000},
    }
    return json.dumps(body | changes).encode()


async def post(
    client: Client,
    body: bytes,
    *,
    secret: bytes = b"new-shared",
    at_s: float | None = None,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    signed = signing.headers(secret, body, time.time() if at_s is None else at_s)
    # Reports need no bearer: their signature says who sends them.
    http_headers = {"authorization": "", "idempotency-key": SID} | signed | (headers or {})
    return await client.http.post("/v1/agent/call-report", content=body, headers=http_headers)


async def test_a_report_of_our_call_is_kept_with_it(client: Client, carrier_api: RestApi) -> None:
    call_id = await client.ordered()
    view = await client.until(call_id, "placed")
    sent = report(callSid=view["callSid"], sessionId=call_id, direction="outbound")
    answer = await post(client, sent)
    assert (answer.status_code, answer.json()) == (200, {"status": "stored"})
    assert (await client.call(call_id))["report"] == json.loads(sent)


async def test_the_report_of_a_call_in_is_shown_as_it_came(client: Client) -> None:
    sent = report(later={"x": 1})
    await post(client, sent)
    answer = await client.http.get(f"/v1/reports/{SID}")
    assert (answer.status_code, answer.content) == (200, sent)
    answer = await client.http.get(f"/v1/reports/CA{'b' * 32}")
    assert (answer.status_code, answer.json()["error"]) == (404, "unknown_report")
    answer = await client.http.get(f"/v1/reports/{SID}", headers={"authorization": "Bearer guess"})
    assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")


@pytest.mark.parametrize("secret", [b"new-shared", b"old-shared"])
async def test_either_secret_signs(client: Client, secret: bytes) -> None:
    assert (await post(client, report(), secret=secret)).status_code == 200


async def test_a_repeat_is_answered_and_kept_once(client: Client) -> None:
    answers = await asyncio.gather(*(post(client, report(durationMs=n)) for n in range(5)))
    assert [answer.status_code for answer in answers] == [200] * 5
    assert sorted(answer.json()["status"] for answer in answers) == ["already stored"] * 4 + ["stored"]


async def test_a_report_that_comes_before_the_call_sid_is_known(client: Client, scheduler: Scheduler) -> None:
    await scheduler._stores.dispatch.rest(time.time() + 60)
    call_id = await client.ordered()
    assert (await post(client, report(sessionId=call_id, direction="outbound"))).status_code == 200
    assert (await client.call(call_id))["report"] is not None


@pytest.mark.parametrize("age_s", [-400, 400])
async def test_a_recording_is_refused(client: Client, age_s: float) -> None:
    answer = await post(client, report(), at_s=time.time() + age_s)
    assert (answer.status_code, answer.json()["error"]) == (401, "stale")


async def test_an_altered_report_is_refused(client: Client) -> None:
    body = report()
    headers = signing.headers(b"new-shared", body, time.time())
    altered = body.replace(b"completed", b"voicemail")
    answer = await client.http.post("/v1/agent/call-report", content=altered, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (401, "bad_signature")
    fresh = headers | {signing.TIMESTAMP: str(int(time.time()) + 1)}
    answer = await client.http.post("/v1/agent/call-report", content=body, headers=fresh)
    assert (answer.status_code, answer.json()["error"]) == (401, "bad_signature")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({signing.SIGNATURE: ""}, "unsigned"),
        ({signing.TIMESTAMP: ""}, "unsigned"),
        ({signing.TIMESTAMP: "soon"}, "bad_timestamp"),
        ({signing.SIGNATURE: "0" * 64}, "bad_signature"),
    ],
)
async def test_a_wrong_signature_is_refused(client: Client, headers: dict[str, str], code: str) -> None:
    answer = await post(client, report(), headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (401, code)


async def test_a_bearer_is_no_signature(client: Client) -> None:
    answer = await client.http.post("/v1/agent/call-report", content=report())
    assert (answer.status_code, answer.json()["error"]) == (401, "unsigned")


async def test_a_report_of_a_session_that_was_never_ours_is_refused(client: Client) -> None:
    """Or of one that was erased."""
    answer = await post(client, report(direction="outbound", sessionId="nobody"))
    assert (answer.status_code, answer.json()["error"]) == (404, "unknown_call")
    assert (await client.http.get(f"/v1/reports/{SID}")).status_code == 404


async def test_the_report_of_a_call_that_another_dialer_made_is_kept(client: Client) -> None:
    """It has no session, and no order here."""
    sent = report(direction="outbound")
    answer = await post(client, sent)
    assert (answer.status_code, answer.json()) == (200, {"status": "stored"})
    assert (await client.http.get(f"/v1/reports/{SID}")).content == sent


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"{}",
        b"[]",
        report(version=2),
        report(callSid="CA*"),
        report(outcome="fine"),
        report(turns="none"),
        b"\xff" * 10,
    ],
)
async def test_what_is_no_report_is_refused_in_one_line(client: Client, body: bytes) -> None:
    answer = await post(client, body)
    assert (answer.status_code, answer.json()["error"]) == (422, "bad_report")
    assert "\n" not in answer.json()["message"]


async def test_a_report_of_the_future_with_more_in_it_is_kept_whole(client: Client) -> None:
    call_id = await client.ordered()
    sent = report(sessionId=call_id, direction="outbound", later={"x": 1})
    assert (await post(client, sent)).status_code == 200
    assert (await client.call(call_id))["report"] == json.loads(sent)


async def test_the_longest_report_is_below_a_megabyte(client: Client) -> None:
    padding = 1_000_000 - 1 - len(report(endDetail=""))
    assert (await post(client, report(endDetail="x" * padding))).status_code == 200
    answer = await post(client, report(endDetail="x" * (padding + 1)))
    assert (answer.status_code, answer.json()["error"]) == (413, "body_too_long")


async def test_without_the_shared_secret_no_report_is_taken(
    make_scheduler: MakeScheduler, client_of: ClientOf
) -> None:
    client = client_of((await make_scheduler(AGENT_SHARED_SECRET="")).port)
    answer = await post(client, report())
    assert (answer.status_code, answer.json()["error"]) == (503, "not_configured")
    assert "AGENT_SHARED_SECRET" in answer.json()["message"]
