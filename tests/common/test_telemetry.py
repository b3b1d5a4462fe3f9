from __future__ import annotations

import asyncio
import contextlib
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator

import pytest

from voxbus.common import telemetry
from voxbus.common.telemetry import HealthServer, LoopLag

EXAMPLES = telemetry.counter("test_examples", "Examples, by kind.", "kind")
DURATIONS = telemetry.histogram_ms("test_duration", "How long an example takes.")


class Process:
    def __init__(self) -> None:
        self.reason = ""


@pytest.fixture
async def process() -> Process:
    return Process()


@pytest.fixture
async def url(process: Process) -> AsyncIterator[str]:
    server = HealthServer(lambda: process.reason)
    yield f"http://127.0.0.1:{await server.start('127.0.0.1', 0)}"
    await server.close()


async def ask(url: str, method: str = "GET") -> tuple[int, str]:
    """Status and body of the answer."""

    def blocking() -> tuple[int, str]:
        request = urllib.request.Request(url, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    return await asyncio.to_thread(blocking)


async def test_health_is_ok(url: str) -> None:
    assert await ask(f"{url}/health") == (200, "OK\n")


async def test_ready_gives_its_reason_in_one_line(url: str, process: Process) -> None:
    assert await ask(f"{url}/ready") == (200, "ready\n")
    process.reason = "waiting for NATS"
    assert await ask(f"{url}/ready") == (503, "waiting for NATS\n")


async def test_metrics_carry_our_names_and_the_process(url: str) -> None:
    EXAMPLES.labels("good").inc(2)
    DURATIONS.observe(41)
    _, text = await ask(f"{url}/metrics")
    assert 'voxbus_test_examples_total{kind="good"} 2.0' in text
    assert 'voxbus_test_duration_ms_bucket{le="50.0"} 1.0' in text
    assert 'voxbus_test_duration_ms_bucket{le="40.0"} 0.0' in text
    assert "process_resident_memory_bytes" in text


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/other", 404), ("POST", "/health", 405)])
async def test_nothing_else_is_there(url: str, method: str, path: str, status: int) -> None:
    assert (await ask(url + path, method))[0] == status


@pytest.mark.parametrize(
    "request_bytes", [b"", b"GET /hea", b"\x00" * 20000, b"GET / HTTP/1.1\r\nX: " + b"y" * 20000]
)
async def test_half_and_huge_requests_harm_nobody(url: str, request_bytes: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
    writer.write(request_bytes)
    writer.write_eof()
    with contextlib.suppress(ConnectionResetError):  # closed with our bytes unread
        assert await reader.read() == b""
    writer.close()
    assert (await ask(f"{url}/health"))[0] == 200


async def test_a_blocked_loop_shows_as_lag(url: str) -> None:
    lag = LoopLag()
    lag.start()
    try:
        time.sleep(LoopLag.EVERY_S + 0.2)  # noqa: ASYNC251 - blocking is the point
        await asyncio.sleep(0.001)  # the overdue timer is called before this one
    finally:
        lag.stop()
    assert lag.p99_ms() >= 190
    assert "voxbus_event_loop_lag_p99_ms" in (await ask(f"{url}/metrics"))[1]
