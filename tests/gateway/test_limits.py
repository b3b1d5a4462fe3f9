"""What strangers may take from a gateway, and that its calls and its carrier do not notice."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
from collections.abc import Awaitable, Callable

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from voxbus.common import events as ev
from voxbus.gateway import stream as stream_module

from .conftest import Start
from .twilio import SECRET, Running, Workers, counted, sign

pytestmark = pytest.mark.asyncio(loop_scope="session")

FRAME = bytes(range(160))
#: A proxy that nobody is: it makes the address in X-Forwarded-For count.
STRANGER = {"X-Forwarded-For": "203.0.113.9"}
CARRIER = {"X-Forwarded-For": "203.0.113.10"}


async def ask(gateway: Running, path: str = "/health", **headers: str) -> httpx.Response:
    return await gateway.http.get(gateway.url + path, headers=headers)


async def voice(
    gateway: Running, sid: str, headers: dict[str, str], *, signed: bool = True
) -> httpx.Response:
    url, form = f"{gateway.url}/twilio/voice", {"CallSid": sid}
    signature = sign(url, form) if signed else "bm8="
    return await gateway.http.post(url, data=form, headers={"X-Twilio-Signature": signature} | headers)


# Requests. Rates are so low here that what comes back while a busy machine asks changes nothing.


async def until_refused(ask_once: Callable[[], Awaitable[httpx.Response]]) -> list[httpx.Response]:
    """The answers up to the first 429."""
    answers: list[httpx.Response] = []
    async with asyncio.timeout(60):
        while not answers or answers[-1].status_code != 429:
            answers.append(await ask_once())
    return answers


async def test_an_address_may_ask_so_much_and_is_told_when_it_may_again(new_gateway: Start) -> None:
    before = counted("gateway_bad_requests", code="too_many_requests")
    async with new_gateway(address_requests=0.6) as gateway:
        *answered, refused = await until_refused(lambda: ask(gateway, **STRANGER))
        assert len(answered) >= 3
        assert {answer.status_code for answer in answered} == {200}
        assert refused.headers["retry-after"] == "1"
        assert refused.text == "too many requests from this address\n"
        assert (await ask(gateway, **{"X-Forwarded-For": "203.0.113.8"})).status_code == 200
        assert (await ask(gateway)).status_code == 200  # a proxy of ours, for itself
        assert counted("gateway_bad_requests", code="too_many_requests") == before + 1


async def test_a_carrier_is_not_locked_out_by_a_hundred_calls_a_second_nor_by_who_shares_its_address(
    new_gateway: Start,
) -> None:
    async with new_gateway(address_requests=2) as gateway:
        calls = [gateway.call() for _ in range(100)]
        for _ in range(3):  # more than it might ask without a proof
            answers = await asyncio.gather(*(voice(gateway, call.sid, CARRIER) for call in calls))
            assert {answer.status_code for answer in answers} == {200}
        await until_refused(lambda: ask(gateway, "/wp-login.php", **CARRIER))
        assert (await voice(gateway, calls[0].sid, CARRIER)).status_code == 200


async def test_who_guesses_signatures_is_not_looked_at_for_long(new_gateway: Start) -> None:
    async with new_gateway(address_requests=0.1) as gateway:
        sid = gateway.call().sid
        *answered, _ = await until_refused(lambda: voice(gateway, sid, STRANGER, signed=False))
        assert len(answered) >= 5
        assert {answer.status_code for answer in answered} == {403}
        assert (await voice(gateway, sid, CARRIER)).status_code == 200


async def test_who_guesses_the_secret_is_not_looked_at_for_long(new_gateway: Start) -> None:
    async with new_gateway(address_requests=0.1) as gateway:

        async def store(secret: str) -> httpx.Response:
            url, headers = f"{gateway.url}/internal/store-context", {"Authorization": f"Bearer {secret}"}
            body = {"call_sid": "CA" + "0" * 32}
            return await gateway.http.post(url, json=body, headers=headers | STRANGER)

        assert {(await store(SECRET)).status_code for _ in range(30)} == {204}
        *answered, _ = await until_refused(lambda: store("a guess"))
        assert {answer.status_code for answer in answered} == {401}


async def test_strangers_in_all_leave_room_for_who_can_prove_something(new_gateway: Start) -> None:
    async with new_gateway(address_requests=0.2) as gateway:
        answers = [await ask(gateway, **{"X-Forwarded-For": f"198.51.100.{n}"}) for n in range(200)]
        assert answers[0].status_code == 200
        assert {answer.status_code for answer in answers} == {200, 503}
        assert {answer.headers["retry-after"] for answer in answers if answer.is_error} == {"2"}
        async with httpx.AsyncClient(trust_env=False, timeout=30) as carrier:
            url, form = f"{gateway.url}/twilio/voice", {"CallSid": gateway.call().sid}
            headers = {"X-Twilio-Signature": sign(url, form)}
            assert (await carrier.post(url, data=form, headers=headers)).status_code == 200


async def test_what_a_stranger_writes_before_the_proxys_word_counts_for_nothing(new_gateway: Start) -> None:
    async with new_gateway(address_requests=0.6) as gateway:
        lies = itertools.cycle(f"198.51.100.{n}, 203.0.113.9" for n in range(250))
        await until_refused(lambda: ask(gateway, **{"X-Forwarded-For": next(lies)}))


async def raw(gateway: Running, head: str) -> bytes:
    """The answer to a request whose head is ``head``, which a client library would not write so."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(f"{head}Connection: close\r\n\r\n".encode())
    async with asyncio.timeout(30):
        answer = await reader.read()
    writer.close()
    return answer


async def test_a_proxy_may_add_its_word_as_a_line_of_its_own(new_gateway: Start) -> None:
    async with new_gateway(address_requests=0.6) as gateway:
        lies = (f"X-Forwarded-For: 198.51.100.{n}\r\n" for n in range(250))
        async with asyncio.timeout(60):
            while True:
                head = f"GET /health HTTP/1.1\r\nHost: h\r\n{next(lies)}X-Forwarded-For: 203.0.113.9\r\n"
                if (await raw(gateway, head)).startswith(b"HTTP/1.1 429 "):
                    break
        for path in ("/phone", "/phone/agents"):
            lie = "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-For: 203.0.113.10\r\n"
            answer = await raw(gateway, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{lie}")
            assert answer.startswith(b"HTTP/1.1 403 ")


async def test_every_answer_forbids_what_no_page_needs(new_gateway: Start) -> None:
    async with new_gateway(public_url="https://voice.example") as gateway:
        for path in ("/health", "/twilio/voice", "/nothing", "/phone", "/media-stream"):
            headers = (await ask(gateway, path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert headers["referrer-policy"] == "no-referrer"
            assert "default-src 'none'" in headers["content-security-policy"]
            assert headers["strict-transport-security"] == "max-age=31536000"
            assert "server" not in headers
    async with new_gateway() as gateway:
        assert "strict-transport-security" not in (await ask(gateway)).headers


# Connections


async def test_a_gateway_has_so_many_connections(new_gateway: Start) -> None:
    before = counted("gateway_bad_requests", code="full")
    async with new_gateway(max_connections=10) as gateway:
        held = [await asyncio.open_connection("127.0.0.1", gateway.port) for _ in range(10)]
        answer = await ask(gateway)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        for _, writer in held:
            writer.close()
        async with asyncio.timeout(30):
            while (await ask(gateway)).status_code != 200:
                pass
        assert counted("gateway_bad_requests", code="full") > before


async def test_half_a_webhook_is_not_waited_for(new_gateway: Start) -> None:
    async with new_gateway(request_seconds=0.3) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(b"POST /twilio/voice HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nCall")
        async with asyncio.timeout(30):
            assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
        writer.close()


async def half(gateway: Running, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A request with a signature, whose body has only begun, from behind a proxy."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    head = f"POST {path} HTTP/1.1\r\nHost: h\r\nX-Twilio-Signature: bm8=\r\nContent-Length: 9\r\n"
    writer.write(f"{head}X-Forwarded-For: 203.0.113.9\r\n\r\nCall".encode())
    return reader, writer


@pytest.mark.parametrize(("path", "status"), [("/twilio/voice", b"403"), ("/nothing", b"404")])
async def test_who_begins_many_webhooks_behind_a_proxy_has_few_of_the_connections(
    new_gateway: Start, path: str, status: bytes
) -> None:
    async with new_gateway(max_connections=60, address_connections=10) as gateway:
        held = [await half(gateway, path) for _ in range(20)]
        for _ in range(40):
            reader, writer = await half(gateway, path)
            async with asyncio.timeout(30):
                assert (await reader.read()).startswith(b"HTTP/1.1 429 ")  # and the connection is closed
            writer.close()
        assert (await voice(gateway, gateway.call().sid, CARRIER)).status_code == 200
        held[0][1].write(b"Sid=x")
        async with asyncio.timeout(30):
            assert (await held[0][0].readline()).split()[1] == status
        held.append(await half(gateway, path))  # so there is room for another, and for no more
        reader, writer = await half(gateway, path)
        async with asyncio.timeout(30):
            assert (await reader.read()).startswith(b"HTTP/1.1 429 ")
        for _, each in (*held, (reader, writer)):
            each.close()


async def test_a_gateway_has_so_many_streams_and_the_others_may_try_elsewhere(new_gateway: Start) -> None:
    async with new_gateway(max_streams=1) as gateway:
        first, second = gateway.call(), gateway.call()
        await first.begin()
        await gateway.log(first.sid, ev.Started)
        await second.token()
        with pytest.raises(InvalidStatus) as refused:
            await second.connect()
        response = refused.value.response
        assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
        await first.stop()
        await first.closed()
        async with asyncio.timeout(30):
            while True:
                try:
                    await second.connect()
                except InvalidStatus:
                    continue
                break


async def phone_socket(gateway: Running, **headers: str) -> ClientConnection:
    url = f"ws://127.0.0.1:{gateway.port}/voice"
    more = {"Origin": gateway.url, "X-Forwarded-For": "127.0.0.1"} | headers
    return await connect(url, additional_headers=more, compression=None, proxy=None)


async def test_sockets_that_have_proved_nothing_are_few(
    new_gateway: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "START_S", 60.0)  # so that none of them goes by itself meanwhile
    async with new_gateway(address_connections=3, phone_token="a token of sixteen") as gateway:
        waiting = [await phone_socket(gateway, **STRANGER) for _ in range(3)]
        with pytest.raises(InvalidStatus) as refused:
            await phone_socket(gateway, **STRANGER)
        assert refused.value.response.status_code == 429
        other = await phone_socket(gateway, **CARRIER)
        await waiting[0].close()
        async with asyncio.timeout(30):
            while True:
                try:
                    again = await phone_socket(gateway, **STRANGER)
                except InvalidStatus:
                    continue
                break
        for opened in (*waiting, other, again):
            await opened.close()


# A stream


async def test_a_stream_that_does_not_read_is_cut_off_and_its_call_may_come_back(
    new_gateway: Start, workers: Callable[[str], Workers]
) -> None:
    before = counted("gateway_slow_clients")
    async with new_gateway(slow_client_seconds=0.5) as gateway:
        bystander = gateway.call()
        await bystander.begin()
        await gateway.log(bystander.sid, ev.Started)
        call = gateway.call()
        token = await call.token()
        url = f"ws://127.0.0.1:{gateway.port}/twilio/stream/{call.sid}"
        small = socket.socket()  # what does not fit in here stays at the gateway
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        small.setblocking(False)
        await asyncio.get_running_loop().sock_connect(small, ("127.0.0.1", gateway.port))
        stream = await connect(
            url, sock=small, additional_headers={"X-Twilio-Signature": sign(url)}, compression=None,
            proxy=None, max_queue=1,
        )  # fmt: skip
        await stream.send(json.dumps(call.start_message(token=token)))
        await gateway.log(call.sid, ev.Started)
        stream.transport.pause_reading()
        # Pongs are answers too, and these are more than the sockets between us keep.
        async with asyncio.timeout(30):
            stream.transport.write(PINGS)
            await gateway.log_within(call.sid, ev.Disconnected, 20)
        assert counted("gateway_slow_clients") == before + 1
        await workers(bystander.sid).attach()
        await workers(bystander.sid).say("Still here.", FRAME * 5)
        await bystander.wait_for("mark")
        assert "<Connect" in (await gateway.post("/twilio/next", {"CallSid": call.sid})).text
        stream.transport.abort()


#: Masked pings of 125 bytes.
PINGS = (b"\x89\xfd\0\0\0\0" + b"p" * 125) * 3500


async def test_a_stream_that_sends_without_end_is_closed_and_another_call_goes_on(
    gateway: Running, workers: Callable[[str], Workers]
) -> None:
    before = counted("gateway_bad_messages", code="too_many_messages")
    bystander, call = gateway.call(), gateway.call()
    for one in (bystander, call):
        await one.begin()
        await gateway.log(one.sid, ev.Started)
    message = json.dumps(call.media_message(FRAME))
    async with asyncio.timeout(60):
        while not call.is_closed:
            try:
                await call.send(message)
            except ConnectionClosed:
                break
    assert await call.closed() == (1008, "too many messages")
    assert counted("gateway_bad_messages", code="too_many_messages") == before + 1
    await workers(bystander.sid).attach()
    await workers(bystander.sid).say("Still here.", FRAME * 5)
    await bystander.wait_for("mark")
    assert bystander.heard() == FRAME * 5
