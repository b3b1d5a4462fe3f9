"""One project for all of these tests; they need a Docker engine, so they run by `make compose-test` alone."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from voxbus.devkit.caller import Caller, Script
from voxbus.devkit.carrier import Call, CallPlan, Carrier, Route
from voxbus.devkit.speech import speak

from .project import ROOT, Missing, Project, docker, have_bases

if not os.environ.get("VOXBUS_COMPOSE_TEST"):
    collect_ignore_glob = ["test_*.py"]

#: What deploy/simulate.env says that the carrier calls.
PUBLIC_URL = "http://localhost:8080"
REPORTED_S = 40.0

#: What every caller asks, as often as the call is to last.
QUESTION = "how about monday"


@dataclass(frozen=True)
class Bare:
    """What the stack answers that nobody configured."""

    project: Project
    phone: httpx.Response
    forwarded: httpx.Response
    webhook: httpx.Response
    scheduler: httpx.Response


@pytest.fixture(scope="session")
def bare(request: pytest.FixtureRequest) -> Iterator[Bare]:
    """Built and started as it comes."""
    try:
        have_bases()
    except Missing as missing:
        pytest.skip(str(missing))
    project = Project()
    try:
        project.compose("--profile", "simulate", "build", within_s=1800)
        project.compose("up", "--detach", "--wait")
        with httpx.Client(base_url=project.url, trust_env=False, timeout=30) as http:
            yield Bare(
                project,
                http.get("/phone"),
                # As a tunnel on this machine would ask that changes the Host.
                http.get("/phone", headers={"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}),
                http.post("/twilio/voice", data={"CallSid": "CA" + "0" * 32}),
                httpx.get(f"{project.scheduler_url}/ready", trust_env=False, timeout=30),
            )
    finally:
        if request.session.testsfailed or request.session.testscollected == 0:
            print(f"\nlogs of the containers: {project.keep_logs()}")
        project.remove()


@pytest.fixture(scope="session")
def project(bare: Bare) -> Project:
    """With a simulated carrier, and two or more of whatever may be two."""
    project = bare.project
    project.env_file = str(ROOT / "deploy" / "simulate.env")
    scale = {"gateway": 2, "stt": 3, "llm": 2, "tts": 2, "reporter": 2}
    project.settings |= {f"SCALE_{service.upper()}": str(number) for service, number in scale.items()}
    project.compose("up", "--detach", "--wait")
    for service, number in scale.items():
        assert len(project.containers(service)) == number
    return project


@dataclass
class Line:
    """Calls the published port, as the carrier would."""

    project: Project
    carrier: Carrier
    token: str

    async def call(self, script: Script) -> tuple[Caller, Call]:
        """Until it is over. Raises ScriptFailed."""
        plan = CallPlan(
            voice_url=f"{PUBLIC_URL}/twilio/voice",
            status_url=f"{PUBLIC_URL}/twilio/status",
            auth_token=self.token,
            call_sid="CA" + secrets.token_hex(16),
            time_limit_s=240,
            route=Route(PUBLIC_URL, (self.project.url,)),
        )
        call, caller = self.carrier.prepare(plan), Caller(script)
        await call.run(caller)
        return caller, call

    async def through(self, happens: Callable[[], Awaitable[object]], calls: int = 2) -> list[Caller]:
        """So many callers ask and are answered, again and again, until it has happened; then they say goodbye."""
        over = asyncio.Event()
        ready = asyncio.Barrier(calls + 1)

        async def script(caller: Caller) -> None:
            await caller.listen()
            await ready.wait()
            while True:
                last = over.is_set()
                await caller.say(speak("goodbye" if last else QUESTION))
                if last:
                    return await caller.expect_hangup()
                await caller.listen(timeout_s=30)

        async def event() -> None:
            try:
                await ready.wait()
                await happens()
            finally:
                over.set()

        async with asyncio.TaskGroup() as group:
            held = [group.create_task(self.call(script)) for _ in range(calls)]
            group.create_task(event())
        for task in held:
            assert (await self.report(task.result()[1].result.call_sid))["outcome"] == "completed"
        return [task.result()[0] for task in held]

    async def report(self, call_sid: str) -> dict[str, Any]:
        """As the scheduler has stored it."""
        async with self.scheduler() as http, asyncio.timeout(REPORTED_S):
            while (answer := await http.get(f"/v1/reports/{call_sid}")).status_code != httpx.codes.OK:
                await asyncio.sleep(0.2)
        report: dict[str, Any] = answer.json()
        return report

    def scheduler(self) -> httpx.AsyncClient:
        secret = self.project.read("scheduler", "/run/voxbus/scheduler_secret")
        return httpx.AsyncClient(
            base_url=self.project.scheduler_url,
            headers={"Authorization": f"Bearer {secret}"},
            trust_env=False,
            timeout=30,
        )

    def kill(self, service: str) -> None:
        """One container of it, at once."""
        docker("kill", self.project.containers(service)[0])


@pytest.fixture
async def line(project: Project) -> Any:
    await asyncio.to_thread(lambda: [speak(text) for text in (QUESTION, "goodbye")])
    async with Carrier() as carrier:
        yield Line(project, carrier, project.read("carrier", "/run/voxbus/twilio_auth_token"))
