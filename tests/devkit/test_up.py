"""``voxbus up`` as somebody uses it who has just got it."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from voxbus.devkit.stack import SECRETS, SERVICES

ROOT = Path(__file__).parents[2]
LAST_LINE_OF_HELLO = "What is missing: voxbus doctor."


@dataclass
class Up:
    """A running one, and what it says before the logs."""

    process: subprocess.Popen[str]
    hello: str
    secrets: Path

    def made(self) -> dict[str, str]:
        """The secrets, by name."""
        lines = self.secrets.read_text().splitlines()
        return dict(line.removeprefix("export ").split("=", 1) for line in lines)

    def end(self) -> str:
        """ctrl-C; the rest of what it says."""
        assert self.process.stdout is not None
        self.process.send_signal(signal.SIGINT)
        rest = self.process.stdout.read()
        assert self.process.wait(60) == 0
        return rest


Start = Callable[..., Up]


@pytest.fixture
def up(tmp_path: Path, unused_tcp_port: int) -> Iterator[Start]:
    """Starts it with these services alone, in an environment that says nothing of a carrier or a backend."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str, services: tuple[str, ...] = (), **environment: str) -> Up:
        absent = [a for service in SERVICES if service not in services for a in (f"--{service}", "0")]
        where = ["--nats-port", str(unused_tcp_port), "--directory", str(tmp_path)]
        command = [sys.executable, "-m", "voxbus.devkit.cli", "up", *options, *absent, *where]
        unset = (
            "NATS_URL",
            "API_URL",
            "DATABASE_URL",
            "PUBLIC_URL",
            "TWILIO_ACCOUNT_SID",
            "PHONE",
            "PHONE_TOKEN",
            *SECRETS,
        )
        ports = {"GATEWAY_PORT": "0", "SCHEDULER_PORT": "0"}
        env = {**os.environ, **dict.fromkeys(unset, ""), **ports, **environment}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env, cwd=ROOT)
        started.append(process)
        assert process.stdout is not None
        lines = [""]
        while lines[-1].rstrip() != LAST_LINE_OF_HELLO:
            lines.append(process.stdout.readline())
            assert lines[-1], "".join(lines)
        return Up(process, "".join(lines), tmp_path / "secrets.env")

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_without_services_it_brings_nats_and_ctrl_c_ends_it(up: Start, unused_tcp_port: int) -> None:
    alone = up()
    assert alone.hello.startswith(f"voxbus is up; NATS at nats://127.0.0.1:{unused_tcp_port}")
    assert "draining" in alone.end()


def test_it_makes_the_secrets_that_it_is_not_given_and_keeps_them_to_itself(up: Start) -> None:
    running = up(services=("scheduler",), AGENT_SHARED_SECRET="theirs")
    assert running.secrets.stat().st_mode & 0o777 == 0o600
    made = running.made()
    assert sorted(made) == ["DATABASE_URL", "INTERNAL_SECRET", "NATS_NKEY_FILE", "SCHEDULER_SECRET"]
    assert Path(made["DATABASE_URL"].removeprefix("sqlite:///")).is_file()
    login = Path(made["NATS_NKEY_FILE"])
    assert login.stat().st_mode & 0o777 == 0o400
    said = running.hello + running.end()
    assert not any(secret in said for secret in made.values())
    assert not running.secrets.exists()
    assert not login.exists()


def test_it_says_what_is_missing_for_calls_out(up: Start) -> None:
    running = up(services=("scheduler",), TWILIO_AUTH_TOKEN="t")
    assert "set TWILIO_ACCOUNT_SID, TWILIO_FROM_NUMBER, PUBLIC_URL; or start with --carrier" in running.hello
    running.end()


def test_it_says_where_the_browser_phone_is(up: Start) -> None:
    running = up(services=("gateway",))
    (line,) = (line for line in running.hello.splitlines() if "in the browser" in line)
    page = httpx.get(line.rpartition(" ")[2], trust_env=False, timeout=30)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    running.end()


def test_it_says_that_the_browser_phone_wants_a_token(up: Start) -> None:
    running = up(services=("gateway",), PUBLIC_URL="https://gw.example")
    assert "set PHONE_TOKEN to open it" in running.hello
    running.end()


async def test_with_a_carrier_the_line_that_it_prints_rings_somebody_who_talks(up: Start) -> None:
    running = await asyncio.to_thread(up, "--carrier", services=SERVICES)
    line = next(line for line in running.hello.splitlines() if "/trigger-outbound" in line)
    # As a shell would read it, with the secrets of the file.
    read, curl = line.strip().split("; ")
    assert Path(read.removeprefix(". ")) == running.secrets
    bearer = running.made()["SCHEDULER_SECRET"]
    program, url, _, header, _, order = shlex.split(curl.replace("$SCHEDULER_SECRET", bearer))
    assert program == "curl"
    async with httpx.AsyncClient(trust_env=False, timeout=30, headers=dict([header.split(": ", 1)])) as http:
        answer = await http.post(url, content=order)
        assert answer.status_code == 202, answer.text
        call = f"{url.removesuffix('/trigger-outbound')}/v1/calls/{answer.json()['id']}"
        async with asyncio.timeout(120):
            while (view := (await http.get(call)).json())["report"] is None:
                await asyncio.sleep(0.2)
    assert view["state"] == "completed"
    assert [turn["caller"] for turn in view["report"]["turns"]][1:] == ["yes", "goodbye"]
    await asyncio.to_thread(running.end)
