"""The requests of tools over real sockets: hostile servers, hostile names, hostile arguments."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import httpcore
import pytest

from voxbus.common.tools.template import Request
from voxbus.llm.tools.client import ToolClient
from voxbus.llm.tools.core_outcome import Outcome

from .backend import Backend, Step, backend, json_answer

MAX_BYTES = 2000


@pytest.fixture
async def server() -> AsyncIterator[Backend]:
    async with backend() as made:
        yield made


@pytest.fixture
async def client() -> AsyncIterator[ToolClient]:
    made = ToolClient(MAX_BYTES)
    yield made
    await made.close()


def request(server: Backend, **change: Any) -> Request:
    fields: dict[str, Any] = {
        "method": "GET",
        "scheme": "http",
        "host": "127.0.0.1",
        "port": server.port,
        "target": "/orders/a%2Fb?x=y%26z",
        "headers": (("Authorization", "Bearer s3cret"),),
        "body": b"",
    }
    return Request(**(fields | change))


async def ask(client: ToolClient, server: Backend, timeout_s: float = 5.0, **change: Any) -> Outcome:
    private = change.pop("private", False)
    return await client.ask(request(server, **change), "key-1", private=private, timeout_s=timeout_s)


async def test_what_is_sent_and_what_comes_back(client: ToolClient, server: Backend) -> None:
    outcome = await ask(client, server)
    assert outcome == Outcome("ok", '{"day":"Friday"}')
    (asked,) = server.asked
    assert asked.line == "GET /orders/a%2Fb?x=y%26z HTTP/1.1"
    assert asked.headers["host"] == f"127.0.0.1:{server.port}"
    assert asked.headers["authorization"] == "Bearer s3cret"
    assert asked.headers["idempotency-key"] == "key-1"
    assert asked.headers["accept-encoding"] == "identity"


async def test_a_body_is_sent_whole_and_connections_are_kept(client: ToolClient, server: Backend) -> None:
    for _ in range(3):
        await ask(client, server, method="POST", body=b'{"day":"Friday"}')
    assert {asked.body for asked in server.asked} == {b'{"day":"Friday"}'}
    assert server.connections == 1


CHUNKED = b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "cause", "words"),
    [
        (json_answer("", 204, "text/plain"), "ok", "Done."),
        (json_answer("It is Friday.", 200, "text/plain; charset=utf-8"), "ok", "It is Friday."),
        (json_answer('{"detail":"no such order"}', 404), "client_error", '(404): {"detail":"no such order"}'),
        (json_answer("x" * 1000, 422, "text/plain"), "client_error", "(422): " + "x" * 600),
        (json_answer("stack trace", 500, "text/plain"), "server_error", "a fault of its own"),
        (json_answer("{oops"), "malformed", "cannot be read"),
        (json_answer("<html>", 200, "text/html"), "ok", "<html>"),
        (json_answer("xyz", 200, "image/png"), "malformed", "cannot be read"),
        (
            json_answer("xyz", 200, "application/json", "Content-Encoding: gzip"),
            "malformed",
            "cannot be read",
        ),
        (
            [b"HTTP/1.1 200 X\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n\xff\xfe"],
            "malformed",
            "read",
        ),
        ([b"nonsense\r\n\r\n"], "malformed", "cannot be read"),
        (json_answer('"' + "x" * MAX_BYTES + '"'), "too_large", "too long"),
        ([CHUNKED, *[b"400\r\n" + b"x" * 1024 + b"\r\n"] * 9], "too_large", "too long"),
    ],
)
async def test_answers(
    client: ToolClient, server: Backend, answer: list[Step], cause: str, words: str
) -> None:
    server.answer = lambda _asked: answer
    outcome = await ask(client, server)
    assert outcome.cause == cause
    assert words in outcome.text
    server.answer = lambda _asked: json_answer("1")
    assert await ask(client, server) == Outcome("ok", "1")  # whatever became of that connection


@pytest.mark.parametrize(
    "location",
    ["http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:1/x", "/elsewhere", "//evil.example/"],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(
    client: ToolClient, server: Backend, location: str, status: int
) -> None:
    server.answer = lambda _asked: json_answer("", status, "text/plain", f"Location: {location}")
    assert (await ask(client, server)).cause == "redirect"
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        [30.0],
        [CHUNKED, *[step for _ in range(200) for step in (b"1\r\nx\r\n", 0.2)]],
        [b"HTTP/1.1 200 X\r\n", *[step for n in range(200) for step in (b"X-%d: y\r\n" % n, 0.2)]],
    ],
    ids=["silent", "slow body", "slow head"],
)
async def test_what_takes_too_long_is_left(client: ToolClient, server: Backend, answer: list[Step]) -> None:
    server.answer = lambda _asked: answer
    began_s = time.monotonic()
    assert (await ask(client, server, timeout_s=0.5)).cause == "timeout"
    assert time.monotonic() - began_s < 10.0


async def test_an_endless_body_is_not_kept(client: ToolClient, server: Backend) -> None:
    server.answer = lambda _asked: [CHUNKED, *[b"10000\r\n" + b"x" * 65536 + b"\r\n"] * 10_000]
    assert (await ask(client, server, timeout_s=10.0)).cause == "too_large"


async def test_nobody_there(client: ToolClient, server: Backend) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        outcome = await ask(client, server, port=unused.getsockname()[1])
    assert outcome.cause == "connection"


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\n"])
async def test_a_line_that_breaks_off_after_the_request_may_have_done_it(
    client: ToolClient, sent: bytes
) -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        at_once = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        writer.transport.abort()

    async with await asyncio.start_server(reset, "127.0.0.1", 0) as made:
        port = made.sockets[0].getsockname()[1]
        outcome = await ask(client, Backend(port=port), method="POST")
    assert outcome.cause == "broken_off"
    assert "may have been done" in outcome.text


async def test_what_http_does_not_know_is_not_sent(client: ToolClient, server: Backend) -> None:
    assert (await ask(client, server, headers=(("X-A", "b\r\nX-C: d"),))).cause == "not_sent"
    assert server.asked == []


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """What names lead to, one list of addresses for each time that somebody looks; the last one stays."""
    known: dict[str, list[list[str]]] = {}

    def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        if host not in known:
            raise socket.gaierror
        answers = known[host]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["::ffff:127.0.0.1"], ["10.0.0.1", "169.254.169.254"], ["0.0.0.0"]]
)
async def test_a_name_that_leads_inside_is_not_followed(
    client: ToolClient, server: Backend, names: dict[str, list[list[str]]], addresses: list[str]
) -> None:
    names["crm.example.com"] = [addresses]
    assert (await ask(client, server, host="crm.example.com")).cause == "not_allowed"
    assert server.connections == 0


async def test_a_name_of_ones_own_may_lead_inside(
    client: ToolClient, server: Backend, names: dict[str, list[list[str]]]
) -> None:
    names["crm.internal"] = [["169.254.169.254", "127.0.0.1"]]
    assert (await ask(client, server, host="crm.internal", private=True)).ok
    assert server.asked[0].headers["host"] == f"crm.internal:{server.port}"


async def test_a_connection_inside_is_not_lent_to_a_tool_that_may_not_have_one(
    client: ToolClient, server: Backend, names: dict[str, list[list[str]]]
) -> None:
    names["crm.internal"] = [["127.0.0.1"]]
    assert (await ask(client, server, host="crm.internal", private=True)).ok
    assert (await ask(client, server, host="crm.internal")).cause == "not_allowed"


async def test_a_name_is_looked_up_once_and_that_address_is_connected_to(
    client: ToolClient, server: Backend, names: dict[str, list[list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rebinding: the second look would find this machine."""
    names["crm.example.com"] = [["192.0.2.1", "198.51.100.1"], ["127.0.0.1"]]
    assert (await ask(client, server, host="crm.example.com")).cause == "not_allowed"
    names["crm.example.com"] = [["8.8.8.8"], ["127.0.0.1"]]
    connected: list[str] = []

    async def connect_tcp(_self: object, host: str, *_: object, **__: object) -> None:
        connected.append(host)
        raise httpcore.ConnectError

    monkeypatch.setattr("httpcore.AnyIOBackend.connect_tcp", connect_tcp)
    assert (await ask(client, server, host="crm.example.com")).cause == "connection"
    assert connected == ["8.8.8.8"]


async def test_a_name_that_is_none(client: ToolClient, server: Backend, names: dict[str, Any]) -> None:
    assert (await ask(client, server, host="nowhere.example")).cause == "connection"


async def test_names_that_nobody_answers_for_leave_the_workers_own_look_ups_alone(
    client: ToolClient, server: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    over, real = threading.Event(), socket.getaddrinfo

    def getaddrinfo(host: str, *rest: Any, **more: Any) -> Any:
        if host == "slow.example":
            over.wait(30)
        return real("127.0.0.1", *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    try:
        slow = [ask(client, server, 0.3, host="slow.example") for _ in range(50)]
        causes = [outcome.cause for outcome in await asyncio.gather(*slow)]
        assert set(causes) == {"timeout", "connection"}  # no more threads than there may be
        async with asyncio.timeout(20):
            assert await asyncio.get_running_loop().getaddrinfo("model.example", 80)
    finally:
        over.set()


async def test_no_proxy_of_the_environment_is_asked(
    client: ToolClient, server: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://192.0.2.1:1")
    assert (await ask(client, server)).ok


@pytest.mark.parametrize(("certified", "cause"), [("crm.internal", "ok"), ("evil.example", "connection")])
async def test_a_certificate_is_that_of_the_name_and_not_of_the_address(
    names: dict[str, list[list[str]]],
    monkeypatch: pytest.MonkeyPatch,
    certified: str,
    cause: str,
) -> None:
    trustme = pytest.importorskip("trustme", reason="makes certificates")
    authority = trustme.CA()
    ours, theirs = ssl.create_default_context(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.configure_trust(ours)
    authority.issue_cert(certified).configure_cert(theirs)
    monkeypatch.setattr("voxbus.llm.tools.client.context", lambda: ours)
    names["crm.internal"] = [["127.0.0.1"]]
    made = ToolClient(MAX_BYTES)
    async with backend(theirs) as server:
        outcome = await ask(made, server, scheme="https", host="crm.internal", private=True)
    await made.close()
    assert outcome.cause == cause
