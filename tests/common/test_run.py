"""The run loop, as a real process on a real NATS server."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from voxbus.common.trust.files import key_file, write

if TYPE_CHECKING:
    from voxbus.devkit.nats_server import NatsServer

PATIENCE_S = 20.0
Line = dict[str, Any]


class Child:
    """The example service as a child process; its log lines are read as they come."""

    def __init__(self, behaviour: str, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / "example_service.py"), behaviour],
            env={**os.environ, "METRICS_PORT": "0", "COLOR": "blue", **environment},
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.put(line)

    def wait_for(self, *messages: str) -> Line:
        """The next log line with one of these messages."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            line: Line = json.loads(self._lines.get(timeout=max(0.0, deadline - time.monotonic())))
            if line["message"] in messages:
                return line

    def end(self) -> tuple[int, list[str]]:
        """The exit status and the lines that nobody has read yet."""
        status = self.process.wait(PATIENCE_S)
        self._reader.join()
        rest = []
        with contextlib.suppress(queue.Empty):
            while True:
                rest.append(self._lines.get_nowait())
        return status, rest

    def messages(self) -> tuple[int, list[str]]:
        status, lines = self.end()
        return status, [json.loads(line)["message"] for line in lines]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()


Start = Callable[..., Child]


@pytest.fixture(scope="module")
def nats_of_all() -> Iterator[NatsServer]:
    """For the tests that leave it running."""
    nats = pytest.importorskip("voxbus.devkit.nats_server", reason="the devkit brings the NATS server")
    with nats.nats_server() as server:
        yield server


@pytest.fixture
def start(nats_of_all: NatsServer) -> Iterator[Start]:
    children: list[Child] = []

    def start_child(behaviour: str = "", **environment: str) -> Child:
        child = Child(behaviour, {"NATS_URL": nats_of_all.url, **environment})
        children.append(child)
        return child

    yield start_child
    for child in children:
        child.kill()


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_S) as response:
            return response.status, response.read().decode().strip()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode().strip()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_ends_well(start: Start, number: signal.Signals) -> None:
    child = start()
    ready = child.wait_for("ready")
    assert get(ready["metrics_port"], "/ready") == (200, "ready")
    metrics = get(ready["metrics_port"], "/metrics")[1]
    assert "voxbus_event_loop_lag_p99_ms" in metrics
    assert "voxbus_bus_connected 1.0" in metrics
    child.process.send_signal(number)
    assert child.messages() == (0, ["asked to stop", "draining", "drain called", "stopped"])


def test_wrong_settings_are_one_line_and_another_status(start: Start) -> None:
    status, lines = start(COLOR="", METRICS_PORT="many").end()
    assert status == 78
    assert len(lines) == 1
    assert "COLOR is not set" in lines[0]
    assert "METRICS_PORT is wrong" in lines[0]


def test_waits_for_the_bus_and_says_so(start: Start, nats_server: NatsServer) -> None:
    nats_server.stop()
    child = start(NATS_URL=nats_server.url.replace("//", "//user:hunter2@"))
    waiting = child.wait_for("no bus yet; is NATS running, and is NATS_URL right?")
    assert nats_server.url.removeprefix("nats://") in waiting["error"]
    assert "hunter2" not in json.dumps(waiting)
    nats_server.start()
    child.wait_for("ready")


def test_a_signal_while_waiting_for_the_bus_ends_well(start: Start, nats_server: NatsServer) -> None:
    nats_server.stop()
    child = start(NATS_URL=nats_server.url)
    child.wait_for("no bus yet; is NATS running, and is NATS_URL right?")
    child.process.terminate()
    assert child.end()[0] == 0


def test_is_not_ready_while_the_bus_is_away(start: Start, nats_server: NatsServer) -> None:
    child = start(NATS_URL=nats_server.url)
    port = child.wait_for("ready")["metrics_port"]
    nats_server.stop()
    child.wait_for("control connection lost")
    assert get(port, "/ready") == (503, "NATS does not answer")
    assert get(port, "/health") == (200, "OK")
    nats_server.start()
    connections = ("control connection restored", "audio connection restored")
    both = {child.wait_for(*connections)["message"] for _ in connections}
    assert len(both) == 2
    assert get(port, "/ready") == (200, "ready")


def test_the_service_has_its_say_in_readiness(start: Start) -> None:
    port = start("is not ready").wait_for("ready")["metrics_port"]
    assert get(port, "/ready") == (503, "no model yet")


def test_a_bus_that_is_closed_for_good_ends_the_process(start: Start) -> None:
    child = start("loses the bus")
    child.wait_for("ready")
    line = child.wait_for("stopped by an error")
    assert "is this service's login still the right one?" in line["error"]
    assert child.messages() == (1, ["stopped"])  # nothing to drain to


def test_a_drain_that_takes_too_long_is_cut(start: Start) -> None:
    child = start("drains for ever", DRAIN_SECONDS="0.2")
    child.wait_for("ready")
    child.process.terminate()
    child.wait_for("drain took too long; what was left is lost to this process")
    assert child.end()[0] == 1


def test_a_second_signal_ends_at_once(start: Start) -> None:
    child = start("drains for ever")
    child.wait_for("ready")
    child.process.terminate()
    child.wait_for("drain called")
    child.process.send_signal(signal.SIGINT)
    assert child.end()[0] == 128 + signal.SIGINT


def test_a_signal_during_the_start_ends_well(start: Start) -> None:
    child = start("starts for ever")
    child.wait_for("starting slowly")
    child.process.terminate()
    assert child.end()[0] == 0


def test_a_thread_that_does_not_end_does_not_keep_the_process(start: Start) -> None:
    child = start("leaves a thread")
    child.wait_for("ready")
    child.process.terminate()
    assert child.end()[0] == 0


def test_an_error_of_ours_at_the_start_is_one_line(start: Start) -> None:
    child = start("cannot start")
    line = child.wait_for("stopped by an error")
    assert line["error"] == "AgentError: agents/x.yaml: no greeting"
    assert "traceback" not in line
    assert child.end()[0] == 1


def test_a_surprise_at_the_start_comes_with_its_traceback(start: Start) -> None:
    child = start("breaks at start")
    assert "ZeroDivisionError" in child.wait_for("stopped by an error")["traceback"]
    assert child.end()[0] == 1


def test_a_metrics_port_that_is_taken_is_said(start: Start) -> None:
    port = start().wait_for("ready")["metrics_port"]
    second = start(METRICS_PORT=str(port))
    assert str(port) in second.wait_for("stopped by an error")["error"]
    assert second.end()[0] == 1


def test_a_failed_background_task_drains_and_fails_the_process(start: Start) -> None:
    child = start("background fails")
    line = child.wait_for("background task failed")
    assert line["task"] == "ticker"
    assert "tick failed" in line["traceback"]
    child.wait_for("drain called")
    assert child.end()[0] == 1


def test_a_failed_callback_is_logged_and_counted_and_the_process_lives(start: Start) -> None:
    child = start("callback fails")
    port = child.wait_for("ready")["metrics_port"]
    assert "voxbus_unhandled_errors_total 1.0" in get(port, "/metrics")[1]
    child.process.terminate()
    assert child.end()[0] == 0


@pytest.fixture(scope="module")
def with_logins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[NatsServer, Path]]:
    nats = pytest.importorskip("voxbus.devkit.nats_server", reason="the devkit brings the NATS server")
    directory = tmp_path_factory.mktemp("logins")
    server = nats.NatsServer(directory / "store", config=write(directory))
    server.start()
    yield server, directory
    server.stop()


def test_a_service_waits_for_the_setup_and_is_told_what_it_has_no_right_to(
    start: Start, with_logins: tuple[NatsServer, Path]
) -> None:
    server, directory = with_logins
    child = start(
        "starts a call",
        EXAMPLE_NAME="operator",
        NATS_URL=server.url,
        NATS_NKEY_FILE=str(key_file(directory, "operator")),
    )
    child.wait_for("the bus is not set up yet; did `python -m voxbus.common.bus` run?")
    subprocess.run(
        [sys.executable, "-m", "voxbus.common.bus"],
        env={**os.environ, "NATS_URL": server.url, "NATS_NKEY_FILE": str(key_file(directory, "setup"))},
        check=True,
        timeout=60,
    )
    lines = [
        child.wait_for("ready", "NATS refused a subject: this login has no right to it") for _ in range(2)
    ]
    refused = next(line for line in lines if line["message"] != "ready")
    ready = next(line for line in lines if line["message"] == "ready")
    assert (refused["level"], refused["error"]) == ("error", "SubjectRefused: publish call.*.event.started.>")
    counted = 'voxbus_bus_refused_total{subject="call.*.event.started.>",verb="publish"} 1.0'
    assert counted in get(ready["metrics_port"], "/metrics")[1]


def test_a_login_that_is_refused_ends_the_process_with_one_line(
    start: Start, with_logins: tuple[NatsServer, Path]
) -> None:
    child = start(NATS_URL=with_logins[0].url)
    line = child.wait_for("stopped by an error")
    assert "are NATS_NKEY_FILE, or NATS_USER and NATS_PASSWORD, those of this service?" in line["error"]
    assert "traceback" not in line
    assert child.end()[0] == 1


def test_a_key_file_that_is_not_there_is_a_wrong_setting(start: Start, tmp_path: Path) -> None:
    status, lines = start(NATS_NKEY_FILE=str(tmp_path / "nkey")).end()
    assert (status, len(lines)) == (78, 1)
    assert "NATS_NKEY_FILE is wrong" in lines[0]


def test_two_logins_are_one_too_many(start: Start, tmp_path: Path) -> None:
    (tmp_path / "nkey").touch()
    status, lines = start(NATS_NKEY_FILE=str(tmp_path / "nkey"), NATS_USER="stt").end()
    assert (status, lines) == (
        78,
        ["voxbus example: NATS_NKEY_FILE and NATS_USER are two logins: set one of them\n"],
    )
