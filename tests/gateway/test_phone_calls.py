"""Calls of the browser phone, as its page makes them: over HTTP, and over Media Streams."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from voxbus.common import events as ev
from voxbus.common import subjects

from .conftest import Start
from .twilio import Running, Twilio, Workers

pytestmark = pytest.mark.asyncio(loop_scope="session")

MakeWorkers = Callable[[str], Workers]


class Page:
    """One call from a page of ``gateway``."""

    def __init__(self, gateway: Running) -> None:
        self.gateway = gateway
        self.placed: dict[str, Any] = {}
        self.call = gateway.call()

    async def post(self, path: str, body: object, **headers: str) -> httpx.Response:
        headers = {
            "Origin": self.gateway.url,
            "Authorization": f"Bearer {self.placed.get('key', 'none')}",
        } | headers
        return await self.gateway.http.post(f"{self.gateway.url}{path}", json=body, headers=headers)

    async def place(self, agent: str = "") -> Twilio:
        """The stream of a call that may begin."""
        response = await self.post("/phone/calls", {"agent": agent})
        assert response.status_code == 200, response.text
        self.placed = response.json()
        self.call = self.gateway.call(self.placed["call_sid"])
        return self.call

    async def connect(self, token: str = "") -> None:
        await self.call.connect("/voice", signature="", origin=self.gateway.url)
        await self.call.send({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        await self.call.start(token=token or self.placed["token"])

    async def begin(self, agent: str = "") -> ev.Started:
        await self.place(agent)
        await self.connect()
        (started,) = await self.gateway.log(self.call.sid, ev.Started)
        return started

    async def next(self, **counts: int | str) -> dict[str, Any]:
        response = await self.post(f"/phone/calls/{self.call.sid}/next", counts)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    @asynccontextmanager
    async def events(self) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """The lines of the call, parsed, without the empty ones."""
        url = f"{self.gateway.url}/phone/calls/{self.call.sid}/events"
        headers = {"Authorization": f"Bearer {self.placed['key']}"}
        async with asyncio.timeout(30), self.gateway.http.stream("GET", url, headers=headers) as response:
            assert response.status_code == 200
            assert response.headers["cache-control"] == "no-store"

            async def lines() -> AsyncIterator[dict[str, Any]]:
                async for line in response.aiter_lines():
                    if line:
                        yield json.loads(line)

            yield lines()


async def until(
    lines: AsyncIterator[dict[str, Any]], wanted: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    async for line in lines:
        if wanted(line):
            return line
    raise AssertionError("it ended before")


async def test_it_tells_whom_one_can_call(gateway: Running) -> None:
    book = (await gateway.http.get(f"{gateway.url}/phone/agents")).json()
    names = [agent["name"] for agent in book["agents"]]
    assert names[0] == "test_agent"
    assert "needy" not in names  # which cannot be called without a context
    assert book["wants_token"] is False


async def test_behind_the_edge_it_is_a_call_like_any_other(gateway: Running, workers: MakeWorkers) -> None:
    page = Page(gateway)
    started = await page.begin()
    assert (started.direction, started.from_number, started.agent.name) == (
        "inbound",
        "client:browser",
        "test_agent",
    )
    worker = workers(page.call.sid)
    await worker.attach()
    await worker.say("Hello.", b"\x00" * 1600)
    await page.call.wait_for("media", 10)
    (mark,) = await page.call.wait_for("mark")
    await page.call.mark(mark["mark"]["name"])
    (heard,) = await gateway.log(page.call.sid, ev.Heard)
    assert (heard.complete, heard.known_by) == (True, "mark")
    await page.call.press("5")
    assert (await gateway.log(page.call.sid, ev.Dtmf))[0].digit == "5"
    await page.call.stop()
    assert (await gateway.log(page.call.sid, ev.Ended))[0].reason == "caller_hung_up"


async def test_a_stream_needs_its_own_token_once(gateway: Running) -> None:
    page = Page(gateway)
    await page.begin()
    for token in (page.placed["token"], "x" * 32, "x"):
        again = Page(gateway)
        again.placed, again.call = page.placed, gateway.call(page.call.sid)
        await again.connect(token)
        assert (await again.call.closed())[0] == 1008


async def test_a_token_is_good_for_its_call_only(gateway: Running) -> None:
    page, other = Page(gateway), Page(gateway)
    await page.place()
    await other.place()
    await page.connect(other.placed["token"])
    assert await page.call.closed() == (1008, "the stream's token belongs to another call")


async def test_a_gateway_that_is_full_says_so_before_the_page_begins(new_gateway: Start) -> None:
    async with new_gateway(max_streams=1) as gateway:
        page = Page(gateway)
        await page.begin()
        answer = await Page(gateway).post("/phone/calls", {})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.text == "this gateway has as many calls as it may\n"


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null"])
async def test_a_socket_of_another_page_is_refused(gateway: Running, origin: str | None) -> None:
    page = Page(gateway)
    await page.place()
    status, line = await gateway.refused_handshake(page.call, "/voice", signature="", origin=origin)
    assert (status, line) == (403, "the request is of a page that is not ours\n")


async def test_a_page_of_somebody_else_places_no_call(gateway: Running) -> None:
    response = await Page(gateway).post("/phone/calls", {}, Origin="http://evil.example")
    assert response.status_code == 403


@pytest.mark.parametrize("path", ["events", "next"])
@pytest.mark.parametrize("key", ["x", "x" * 43])
async def test_only_who_placed_a_call_follows_it(gateway: Running, path: str, key: str) -> None:
    page, other = Page(gateway), Page(gateway)
    await page.place()
    await other.place()
    for wrong in (key, other.placed["key"]):
        headers = {"Authorization": f"Bearer {wrong}", "Origin": gateway.url}
        url = f"{gateway.url}/phone/calls/{page.call.sid}/{path}"
        method = "GET" if path == "events" else "POST"
        response = await gateway.http.request(method, url, headers=headers, json={})
        assert response.status_code == 403


async def test_a_call_of_the_telephone_has_no_key(gateway: Running, workers: MakeWorkers) -> None:
    call = gateway.call()
    await call.begin()
    await gateway.log(call.sid, ev.Started)
    for key in ("x", "x" * 43):
        headers = {"Authorization": f"Bearer {key}"}
        url = f"{gateway.url}/phone/calls/{call.sid}/events"
        assert (await gateway.http.get(url, headers=headers)).status_code == 403


async def test_the_bus_does_not_hold_the_key(gateway: Running) -> None:
    page = Page(gateway)
    await page.place()
    stored = await gateway.bus.contexts.get(subjects.phone_of_call(page.call.sid))
    assert stored is not None
    assert page.placed["key"].encode() not in stored


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/phone/calls", {"agent": "nobody"}, 422),
        ("/phone/calls", {"agent": "needy"}, 422),
        ("/phone/calls", {"agent": 1}, 422),
        ("/phone/calls", {"agents": "x"}, 422),
        ("/phone/calls", [], 422),
        ("/phone/calls", {"agent": "x" * 70_000}, 413),
        ("/phone/calls/CAx/next", {}, 400),
    ],
)
async def test_what_makes_no_sense_is_refused(gateway: Running, path: str, body: object, status: int) -> None:
    response = await Page(gateway).post(path, body)
    assert response.status_code == status
    assert "xxx" not in response.text


@pytest.mark.parametrize("counts", [{"streams": -1}, {"streams": "1"}, {"tries": 10**9}, {"more": 1}])
async def test_counts_that_are_none(gateway: Running, counts: dict[str, object]) -> None:
    page = Page(gateway)
    await page.place()
    assert (await page.post(f"/phone/calls/{page.call.sid}/next", counts)).status_code == 422


async def test_what_is_said_is_followed_live(gateway: Running, workers: MakeWorkers) -> None:
    page = Page(gateway)
    await page.begin()
    worker = workers(page.call.sid)
    await worker.attach()
    async with page.events() as lines:
        assert await anext(lines) == {"began": True, "holding": False, "ended": ""}
        await worker.say("One two three four.", b"\x00" * 16000)
        turn = await until(lines, lambda line: "turn" in line)
        assert (turn["turn"], turn["by"]) == (1, "greeting")
        assert turn["said"] == [{"heard": "", "unheard": "One two three four.", "verdict": ""}]

        gateway.bus.audio.publish(subjects.partial(page.call.sid), b"hel")
        assert await until(lines, lambda line: "partial" in line) == {"partial": "hel"}
        await page.call.wait_for("media", 40)
        await worker.put(
            ev.SpeechStarted(call=page.call.sid, holder=worker.holder, media_ms=0, over_agent=True)
        )
        assert (await until(lines, lambda line: "holding" in line))["holding"] is True
        await worker.put(ev.BargeIn(call=page.call.sid, holder=worker.holder, media_ms=0, by="words"))
        cut = await until(lines, lambda line: line.get("interrupted", False))
        assert cut["said"][0]["verdict"] in ("cut", "unheard")
        said = cut["said"][0]
        assert f"{said['heard']} {said['unheard']}".split() == ["One", "two", "three", "four."]

        await worker.utterance(2, text="hello")
        assert (await until(lines, lambda line: line.get("turn") == 2))["caller"] == "hello"
        await page.call.stop()
        assert (await until(lines, lambda line: bool(line.get("ended"))))["ended"] == "caller_hung_up"
        assert [line async for line in lines] == []


async def test_who_comes_later_is_told_everything(gateway: Running, workers: MakeWorkers) -> None:
    page = Page(gateway)
    await page.begin()
    worker = workers(page.call.sid)
    await worker.attach()
    await worker.utterance(2, text="hello")
    for _ in range(2):
        async with page.events() as lines:
            assert (await until(lines, lambda line: line.get("turn") == 2))["caller"] == "hello"


async def test_a_broken_line_is_taken_up_again(gateway: Running, workers: MakeWorkers) -> None:
    page = Page(gateway)
    await page.begin()
    await workers(page.call.sid).attach()
    page.call.drop()
    await gateway.log(page.call.sid, ev.Disconnected)
    answer = await page.next(streams=0, tries=0)
    assert (answer["then"], answer["streams"], answer["tries"]) == ("connect", 1, 0)
    page.call = gateway.call(page.call.sid)
    await page.connect(answer["token"])
    await gateway.log(page.call.sid, ev.Resumed)


async def test_a_line_that_cannot_be_made_is_given_up(gateway: Running) -> None:
    page = Page(gateway)
    await page.place()
    answer: dict[str, Any] = {"streams": 0, "tries": 0}
    for tries in (1, 2):
        answer = await page.next(streams=answer["streams"], tries=answer["tries"])
        assert (answer["then"], answer["tries"]) == ("connect", tries)
    assert (await page.next(streams=answer["streams"], tries=answer["tries"]))["then"] == "hang_up"
    assert (await gateway.log(page.call.sid, ev.Ended))[0].reason == "connection_lost"


async def test_a_call_whose_first_stream_never_came_begins_as_it_was_placed(new_gateway: Start) -> None:
    async with new_gateway(persona="needy") as gateway:
        page = Page(gateway)
        await page.place("test_agent")
        answer = await page.next(agent="test_agent")
        await page.connect(answer["token"])
        (started,) = await gateway.log(page.call.sid, ev.Started)
        assert (started.agent.name, started.from_number) == ("test_agent", "client:browser")


async def test_an_agent_that_wants_to_hand_over_does(gateway: Running, workers: MakeWorkers) -> None:
    page = Page(gateway)
    await page.begin()
    worker = workers(page.call.sid)
    await worker.attach()
    await worker.utterance(2)
    await worker.put(ev.TransferRequested(call=page.call.sid, turn=2, target="desk"))
    answer = await page.next(streams=1)
    assert answer["then"] == "transfer"
    assert "+15550100" not in json.dumps(answer)
    assert (await gateway.log(page.call.sid, ev.Ended))[0].reason == "transferred"


async def test_a_gateway_that_stops_takes_no_call_and_ends_what_is_followed(
    new_gateway: Start, workers: MakeWorkers
) -> None:
    async with new_gateway(drain_seconds=2) as gateway:
        page = Page(gateway)
        await page.begin()
        await workers(page.call.sid).attach()
        async with page.events() as lines:
            assert (await anext(lines))["began"] is True
            draining = asyncio.create_task(gateway.gateway.drain())
            while gateway.gateway.not_ready() != "draining":
                await asyncio.sleep(0)
            refused = await page.post("/phone/calls", {})
            assert (refused.status_code, refused.text) == (503, "this gateway stops; ask again in a moment\n")
            assert (await page.call.closed())[0] == 1001
            # To its end, and not torn off, as the web server does with an answer that it has waited for too long.
            assert [line async for line in lines if "ended" in line] == []
            await draining
            gateway.drained = True
