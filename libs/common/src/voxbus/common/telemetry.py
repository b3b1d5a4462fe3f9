"""Metrics and health of a process, on a port of their own that is never published.

Metrics are made at import, once a process, as module constants:

    TURNS = counter("stt_turns", "Turns that ended, by why.", "ended_by")
    TURNS.labels("silence").inc()

Never a phone number, a call or a text as a label value. On a hot path keep what ``labels`` returned.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

#: From one task switch to a call that hangs. Dense between 20 and 150 ms, where the promises of a turn are.
MS_BUCKETS: Final = (
    0.5, 1, 2, 5, 10, 20, 30, 40, 50, 60, 70, 85, 100, 130, 150, 200, 300, 500, 750, 1000, 1500, 2000, 5000, 10000,
)  # fmt: skip


def counter(name: str, meaning: str, *labels: str) -> Counter:
    """``voxbus_{name}_total``."""
    return Counter(f"voxbus_{name}", meaning, labels)


def gauge(name: str, meaning: str, *labels: str) -> Gauge:
    """``voxbus_{name}``."""
    return Gauge(f"voxbus_{name}", meaning, labels)


def histogram_ms(name: str, meaning: str, *labels: str) -> Histogram:
    """``voxbus_{name}_ms``, durations in milliseconds."""
    return Histogram(f"voxbus_{name}_ms", meaning, labels, buckets=MS_BUCKETS)


_LOOP_LAG = gauge(
    "event_loop_lag_p99_ms", "99th percentile of how late the event loop ran a timer, last minute."
)


class LoopLag:
    """How late the running loop calls a timer: the time every other call of this process had to wait, too."""

    EVERY_S: Final = 0.1
    KEPT: Final = 600  # a minute

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lags_ms: deque[float] = deque(maxlen=self.KEPT)
        self._timer: asyncio.TimerHandle | None = None
        _LOOP_LAG.set_function(self.p99_ms)

    def start(self) -> None:
        due = self._loop.time() + self.EVERY_S
        self._timer = self._loop.call_at(due, self._sample, due)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def p99_ms(self) -> float:
        lags = sorted(self._lags_ms)
        return lags[math.ceil(len(lags) * 0.99) - 1] if lags else 0.0

    def _sample(self, due: float) -> None:
        self._lags_ms.append(max(0.0, self._loop.time() - due) * 1000)
        self.start()


#: Why the process takes no work now, in one line; empty = it is ready.
NotReady = Callable[[], str]


class HealthServer:
    """``/health`` (OK while the event loop turns), ``/ready`` (503 and a reason), ``/metrics``.

    It runs on the service's own loop on purpose: a process whose loop hangs must not call itself healthy. Metrics are
    rendered in a thread, because that takes milliseconds which calls would hear.
    """

    _MAX_REQUEST_BYTES = 8192
    _TIMEOUT_S = 5.0

    def __init__(self, not_ready: NotReady) -> None:
        self._not_ready = not_ready
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """The port it listens on; ``port`` 0 = any free one. Raises OSError when it is taken."""
        self._server = await asyncio.start_server(self._answer, host, port, limit=self._MAX_REQUEST_BYTES)
        chosen: int = self._server.sockets[0].getsockname()[1]
        return chosen

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(self._TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
                status, kind, body = await self._response(head.split(b"\r\n", 1)[0].decode("latin-1"))
                writer.write(
                    f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                    "Connection: close\r\n\r\n".encode("latin-1")
                    + body
                )
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asks in half sentences gets no answer; a probe that gave up needs none
        finally:
            writer.close()

    async def _response(self, request_line: str) -> tuple[str, str, bytes]:
        method, _, target = request_line.partition(" ")
        text = "text/plain; charset=utf-8"
        if method != "GET":
            return "405 Method Not Allowed", text, b"only GET\n"
        match target.split(" ")[0].split("?")[0]:
            case "/health":
                return "200 OK", text, b"OK\n"
            case "/ready":
                reason = self._not_ready()
                return (
                    ("503 Service Unavailable", text, f"{reason}\n".encode())
                    if reason
                    else ("200 OK", text, b"ready\n")
                )
            case "/metrics":
                return "200 OK", CONTENT_TYPE_LATEST, await asyncio.to_thread(generate_latest)
            case _:
                return "404 Not Found", text, b"/health, /ready or /metrics\n"
