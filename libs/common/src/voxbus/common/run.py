"""The life of a service's process, the same for all: settings, bus, start, ready, signal, drain, end.

    def build(settings: SttSettings, bus: Bus) -> Service: ...

    if __name__ == "__main__":
        run("stt", SttSettings, build)

The first SIGTERM or SIGINT drains, within ``DRAIN_SECONDS``; a second one ends the process at once. Exit statuses: 0
drained, 1 something failed (start again), 78 the settings are wrong (starting again will not help).
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, Generic, NoReturn, Protocol, TypeVar, runtime_checkable

from voxbus.common import logs, telemetry
from voxbus.common.bus import Bus, Placement, bus_config, ensure
from voxbus.common.errors import BusUnavailable, SettingsError, SubjectRefused, VoxbusError
from voxbus.common.settings import ServiceSettings, load

EXIT_DRAINED: Final = 0
EXIT_FAILED: Final = 1
EXIT_SETTINGS: Final = 78  # EX_CONFIG of sysexits.h

_CONNECT_RETRY_S: Final = (0.2, 0.5, 1.0, 2.0)

_GRACE_S: Final = 3.0

log = logs.get_logger(__name__)

_UNHANDLED = telemetry.counter(
    "unhandled_errors", "Errors that reached the event loop instead of whoever called."
)
_GC_PAUSE = telemetry.histogram_ms(
    "gc_pause", "How long the garbage collector stopped the process.", "generation"
)

_CONNECTED = telemetry.gauge("bus_connected", "1 while both connections to NATS stand.")


class Service(Protocol):
    async def start(self) -> None:
        """Returns once the service takes work."""

    async def drain(self) -> None:
        """Takes no more work, finishes or hands over what it has, and returns. The bus is closed after it."""


@runtime_checkable
class Readiness(Protocol):
    """A service that may be running and yet not ready says why."""

    def not_ready(self) -> str:
        """One line for ``/ready``; empty = ready."""


S = TypeVar("S", bound=ServiceSettings)
Build = Callable[[S, Bus], Service]


def run(name: str, settings_type: type[S], build: Build[S]) -> NoReturn:
    """Runs the service until a signal, and exits the process."""
    try:
        settings = load(settings_type)
    except SettingsError as error:
        # The settings say how to log; without them one plain line is what there is.
        sys.stderr.write(f"voxbus {name}: {error}\n")
        sys.exit(EXIT_SETTINGS)
    logs.configure(name, settings.worker_id, level=settings.log_level, form=settings.log_format)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        status = runner.run(_Process(name, settings, build).live())
        _exit_soon(status)
    gc.unfreeze()  # what is frozen is not finalized at exit, and libraries complain of what they find alive then
    sys.exit(status)


def _exit_soon(status: int) -> None:
    """A thread or a child process that does not end must not keep a process that is done."""
    watchdog = threading.Timer(_GRACE_S, os._exit, (status,))
    watchdog.daemon = True
    watchdog.start()


def background(work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
    """A task that the service cannot live without: when it fails, the process says so, drains and exits with 1."""
    task = asyncio.create_task(work, name=name)
    _running.add(task)  # the loop itself keeps no more than a weak reference
    task.add_done_callback(_background_done)
    return task


_running: set[asyncio.Task[None]] = set()


def _background_done(task: asyncio.Task[None]) -> None:
    _running.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        context = {"message": "background task failed", "exception": error, "task": task, "vital": True}
        task.get_loop().call_exception_handler(context)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # there is none for this platform
        return None
    return uvloop.new_event_loop


class _Process(Generic[S]):
    """One life. ``live`` returns the exit status."""

    def __init__(self, name: str, settings: S, build: Build[S]) -> None:
        self._name = name
        self._settings = settings
        self._build = build
        self._service: Service | None = None
        self._bus: Bus | None = None
        self._phase = "starting"
        self._stop = asyncio.Event()
        self._failed = False

    async def live(self) -> int:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._on_unhandled)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)
        lag = telemetry.LoopLag()
        lag.start()
        health = telemetry.HealthServer(self._not_ready)
        try:
            port = await health.start(self._settings.metrics_host, self._settings.metrics_port)
            await self._until_stopped(port)
        except (VoxbusError, OSError) as error:
            # Ours, or a port that is taken: what to do is in the message, a traceback would only hide it.
            log.error("stopped by an error", phase=self._phase, error=error)
            self._failed = True
        except Exception:
            log.exception("stopped by an error", phase=self._phase)
            self._failed = True
        finally:
            if self._bus is not None:
                await self._bus.close()
            await health.close()
            lag.stop()
        log.info("stopped", failed=self._failed)
        return EXIT_FAILED if self._failed else EXIT_DRAINED

    async def _until_stopped(self, metrics_port: int) -> None:
        if not await self._unless_stopped(self._start()):
            return
        assert self._service is not None
        assert self._bus is not None
        _tune_collector()
        self._phase = ""
        log.info("ready", metrics_port=metrics_port)
        if await self._unless_stopped(self._bus.closed.wait()):
            # Nothing can be finished or handed over without it, and it will not come back by itself.
            raise BusUnavailable("the bus was closed for good; is this service's login still the right one?")
        self._phase = "draining"
        await self._drain(self._service)

    async def _start(self) -> None:
        self._phase = "waiting for NATS"
        bus = self._bus = await self._connect()
        _CONNECTED.set_function(lambda: bus.connected)
        self._phase = "starting"
        self._service = self._build(self._settings, bus)
        await self._service.start()

    async def _connect(self) -> Bus:
        settings = self._settings
        config = bus_config(settings, self._name, f"{self._name} {settings.worker_id}")
        tries = 0
        while True:
            try:
                bus = await Bus.connect(config, on_problem=_on_bus_problem)
            except BusUnavailable as error:
                log.warning("no bus yet; is NATS running, and is NATS_URL right?", error=error)
            else:
                try:
                    if config.has_login:
                        await bus.check()
                    else:
                        # Nobody has a right that others have not: the first one up makes what is missing.
                        await ensure(bus, Placement(archive_days=settings.archive_keep_days))
                except BusUnavailable as error:
                    log.warning(
                        "the bus is not set up yet; did `python -m voxbus.common.bus` run?", error=error
                    )
                    await bus.close()
                else:
                    return bus
            await asyncio.sleep(_CONNECT_RETRY_S[min(tries, len(_CONNECT_RETRY_S) - 1)])
            tries += 1

    async def _drain(self, service: Service) -> None:
        seconds = self._settings.drain_seconds
        log.info("draining", seconds=seconds)
        try:
            async with asyncio.timeout(seconds):
                await service.drain()
        except TimeoutError:
            log.error("drain took too long; what was left is lost to this process", seconds=seconds)
            self._failed = True

    async def _unless_stopped(self, work: Coroutine[Any, Any, object]) -> bool:
        """Whether ``work`` came to its end; it is cancelled when the process is asked to stop first."""
        task = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait((task, stop), return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))
            return False
        task.result()
        return True

    def _not_ready(self) -> str:
        if self._phase:
            return self._phase
        if self._bus is not None and not self._bus.connected:
            return "NATS does not answer"
        return self._service.not_ready() if isinstance(self._service, Readiness) else ""

    def _on_signal(self, number: signal.Signals) -> None:
        if self._stop.is_set():
            log.warning("second signal, ending at once", signal=number.name)
            # Not sys.exit: that would wait for threads and child processes, which may be why somebody asks twice.
            os._exit(128 + number)
        log.info("asked to stop", signal=number.name)
        self._stop.set()

    def _on_unhandled(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        _UNHANDLED.inc()
        task = context.get("task") or context.get("future")
        name = task.get_name() if isinstance(task, asyncio.Task) else ""
        log.exception(context["message"], context.get("exception"), task=name)
        if context.get("vital"):
            self._failed = True
            self._stop.set()


def _on_bus_problem(what: str, error: Exception | None) -> None:
    if isinstance(error, SubjectRefused):
        log.error(what, error=error)  # nothing of this kind will ever get through
    else:
        log.warning(what, error=error)


def _tune_collector() -> None:
    """Untuned, a full collection walks every object that was ever imported: pauses of 60-112 ms, which all calls hear.

    What is alive now (modules, models, type adapters) lives as long as the process: frozen, it is never walked again.
    Young collections come every 10,000 allocations instead of every 700, and full ones every 20 times 50 of those; what
    calls leave behind is mostly freed by reference count anyway.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    started = 0.0
    pauses = [_GC_PAUSE.labels(str(generation)) for generation in range(3)]

    def measure(phase: str, info: dict[str, int]) -> None:
        nonlocal started
        if phase == "start":
            started = time.perf_counter()
        else:
            pauses[info["generation"]].observe((time.perf_counter() - started) * 1000)

    gc.callbacks.append(measure)
