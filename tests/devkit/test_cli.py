"""The ``voxbus`` command as it is typed."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from voxbus.devkit.cli import COMMANDS, main
from voxbus.devkit.commands import call
from voxbus.devkit.commands.up import readable
from voxbus.devkit.stack import SECRETS, SERVICES


def voxbus(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "voxbus.devkit.cli", *arguments]
    environment = {**os.environ, **(env or {})}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    for name, _, summary in COMMANDS:
        assert f"    {name}" in shown
        assert summary in shown


def test_a_call_sid_that_is_none_is_refused_in_one_line() -> None:
    done = voxbus("tap", "CA.*")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "not a CallSid" in done.stderr


def test_a_tap_without_a_server_says_so(unused_tcp_port: int) -> None:
    done = voxbus("tap", "--all", env={"NATS_URL": f"nats://127.0.0.1:{unused_tcp_port}"})
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "no NATS server answers" in done.stderr


def test_the_steps_of_a_call_keep_their_order() -> None:
    parser = argparse.ArgumentParser()
    call.add_arguments(parser)
    line = [
        "--say",
        "yes",
        "--mm-hm",
        "--press",
        "1#",
        "--say",
        "no",
        "--wait",
        "300",
        "--until-hangup",
        "5",
    ]
    assert parser.parse_args(line).steps == [
        ("say", "yes"),
        ("mm_hm", ""),
        ("press", "1#"),
        ("say", "no"),
        ("wait", "300"),
        ("until_hangup", "5"),
    ]
    assert parser.parse_args([]).steps is None


def test_a_call_to_nobody(unused_tcp_port: int) -> None:
    done = voxbus("call", f"http://127.0.0.1:{unused_tcp_port}", "--say", "hello")
    assert done.returncode == 1
    assert "11200" in done.stdout


@dataclass
class Up:
    """``voxbus up``, and what it says before the logs."""

    process: subprocess.Popen[str]
    hello: str

    def end(self) -> str:
        """ctrl-C; the rest of what it says."""
        assert self.process.stdout is not None
        self.process.send_signal(signal.SIGINT)
        rest = self.process.stdout.read()
        assert self.process.wait(30) == 0
        return rest


@pytest.fixture
def up(tmp_path: Path, unused_tcp_port: int) -> Iterator[Callable[..., Up]]:
    """Starts it with these services alone."""
    started: list[subprocess.Popen[str]] = []

    def start(*services: str, **environment: str) -> Up:
        absent = [a for service in SERVICES if service not in services for a in (f"--{service}", "0")]
        where = ["--nats-port", str(unused_tcp_port), "--directory", str(tmp_path)]
        command = [sys.executable, "-m", "voxbus.devkit.cli", "up", *absent, *where]
        unset = dict.fromkeys(("NATS_URL", "API_URL", "DATABASE_URL", "TWILIO_ACCOUNT_SID", *SECRETS), "")
        env = {**os.environ, **unset, "SCHEDULER_PORT": "0", **environment}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
        started.append(process)
        assert process.stdout is not None
        lines = [""]
        while not lines[-1].startswith(LAST_OF_HELLO[bool("scheduler" in services)]):
            lines.append(process.stdout.readline())
            assert lines[-1], "".join(lines)
        return Up(process, "".join(lines))

    yield start
    for process in started:
        process.kill()
        process.communicate()


#: Without a scheduler, and with one.
LAST_OF_HELLO = ("A call without a telephone", "  . ")


def test_up_without_services_brings_nats_and_ctrl_c_ends_it(
    up: Callable[..., Up], unused_tcp_port: int
) -> None:
    alone = up()
    assert alone.hello.startswith(f"voxbus is up; NATS at nats://127.0.0.1:{unused_tcp_port}")
    assert "draining" in alone.end()


def test_up_makes_the_secrets_that_it_is_not_given_and_keeps_them_to_itself(
    up: Callable[..., Up], tmp_path: Path
) -> None:
    running = up("scheduler", AGENT_SHARED_SECRET="theirs")
    file = tmp_path / "secrets.env"
    assert file.stat().st_mode & 0o777 == 0o600
    made = dict(line.removeprefix("export ").split("=", 1) for line in file.read_text().splitlines())
    assert sorted(made) == ["INTERNAL_SECRET", "SCHEDULER_SECRET"]
    said = running.hello + running.end()
    assert not any(secret in said for secret in made.values())
    assert not file.exists()


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_the_line_that_up_prints_orders_a_call(up: Callable[..., Up]) -> None:
    running = up("scheduler")
    line = running.hello.splitlines()[-1]
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=30, check=True)
    assert "no call can be placed: set TWILIO_ACCOUNT_SID" in done.stdout
    running.end()


def test_log_lines_are_made_readable() -> None:
    line = '{"time":"2026-01-02T10:11:12.345+00:00","level":"info","service":"llm","message":"ready","ms":5}'
    assert readable(line) == "10:11:12.345 info    ready ms=5"
    assert readable("plain text") == "plain text"
    assert readable('{"a": 1}') == '{"a": 1}'
    assert readable("[1]") == "[1]"
