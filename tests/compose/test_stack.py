"""Calls through the containers, while those are scaled, killed and replaced."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from voxbus.devkit.audit import images
from voxbus.devkit.caller import Caller
from voxbus.devkit.demo.office import Office

from .project import ROOT, docker, free_port

if TYPE_CHECKING:
    from .conftest import Bare, Line
    from .project import Project

SERVICES = ("gateway", "stt", "llm", "tts", "scheduler", "reporter")
#: Of the simulated telephones: hello, yes, goodbye.
PERSON = "+15550100142"
#: A container that is gone is a job that comes back within a second; a replaced one may have been the only one.
ANSWERED_MS = 15_000.0


def test_it_runs_without_a_setting(bare: Bare) -> None:
    assert bare.phone.status_code == 200
    assert bare.forwarded.status_code == 403  # the proxy hands on what a tunnel says
    assert (bare.webhook.status_code, bare.webhook.text[:17]) == (503, "TWILIO_AUTH_TOKEN")
    assert bare.scheduler.text == "ready\n"


def test_no_image_holds_a_secret(bare: Bare, tmp_path: Path) -> None:
    ours = [f"voxbus-{service}:test" for service in (*SERVICES, "devkit")]
    assert [leak for image in ours for leak in images.scan(image, ROOT)] == []
    key = "AKIA" + "QWERTYUIOPASDFGH"
    (tmp_path / "Dockerfile").write_text(f"FROM {ours[0]}\nENV KEY={key}\nRUN echo {key} > /srv/var/key\n")
    leaking = f"{bare.project.name}-leaking"
    docker("build", "-q", "-t", leaking, str(tmp_path))
    try:
        found = {leak.path.rsplit("/", 1)[1] for leak in images.scan(leaking, ROOT)}
    finally:
        docker("image", "rm", leaking)
    assert found == {"image.txt", "key"}


def test_everything_is_well_and_within_its_memory(project: Project) -> None:
    states = project.states()
    for service, state in states.items():
        assert state == ({"exited 0"} if service in ("init", "setup") else {"healthy"}), service
    tell_memory(project)


def tell_memory(project: Project) -> None:
    print(" ".join(f"{name}: {mb:.0f} MB" for name, mb in sorted(project.memory_mb().items())))


async def test_a_call_in(line: Line) -> None:
    (caller,) = await line.through(lambda: asyncio.sleep(0), calls=1)
    assert len(caller.said) >= 1


async def test_a_call_out(line: Line) -> None:
    async with line.scheduler() as http:
        office = Office(http)
        call_id = await office.order(PERSON, "appointment_reminder", {})
        order = await office.came_out(call_id, 90)
        assert order.state == "completed"


async def test_what_is_kept_of_a_number_is_erased(project: Project, line: Line) -> None:
    async with line.scheduler() as http:
        office = Office(http)
        call_id = await office.order(PERSON, "appointment_reminder", {})
        assert (await office.came_out(call_id, 90)).state == "completed"
        call_sid = (await http.get(f"/v1/calls/{call_id}")).json()["callSid"]
        said = await project.composing("run", "--rm", "-T", "voxbus", "erase", "--number", PERSON)
        assert re.search("^database: [1-9][0-9]* calls, [1-9][0-9]* reports", said, re.M)
        assert re.search("^NATS: the logs and transcripts of [1-9][0-9]* calls removed", said, re.M)
        assert PERSON not in said
        assert (await http.get(f"/v1/calls/{call_id}")).status_code == httpx.codes.NOT_FOUND
        assert (await http.get(f"/v1/reports/{call_sid}")).status_code == httpx.codes.NOT_FOUND


async def test_a_container_of_each_is_killed_in_calls(project: Project, line: Line) -> None:
    async def kill() -> None:
        await asyncio.to_thread(tell_memory, project)
        for service in ("llm", "tts", "stt", "gateway", "reporter"):
            await asyncio.to_thread(line.kill, service)
            await asyncio.sleep(4)

    try:
        told(await line.through(kill, calls=3))
    finally:
        project.compose("up", "--detach", "--wait")


async def test_each_service_is_replaced_in_calls(project: Project, line: Line) -> None:
    async def replace() -> None:
        for service in ("reporter", "scheduler", "stt", "llm", "tts", "gateway"):
            before = set(project.containers(service))
            command = ("up", "--detach", "--no-deps", "--build", "--wait", service)
            await project.composing(*command, REVISION="next")
            assert not before & set(project.containers(service))

    told(await line.through(replace, calls=2))


async def test_a_new_version_starts_beside_the_old_one(project: Project, line: Line) -> None:
    async def replace() -> None:
        for service in ("stt", "gateway"):
            before = project.names(service)
            await asyncio.to_thread(project.replace, service, {"REVISION": "beside"})
            after = project.names(service)
            # None was made anew in the place of one that had to go first.
            assert (len(after), before & after) == (len(before), set())

    told(await line.through(replace, calls=2))


def told(callers: list[Caller]) -> None:
    """Every question was answered, in whatever time that took on this machine."""
    for caller in callers:
        *asked, _ = caller.said
        assert [response.said for response in caller.responses] == asked
        slowest = max(response.response_ms for response in caller.responses)
        print(f"{len(asked)} questions, the slowest answer after {slowest:.0f} ms")
        assert slowest < ANSWERED_MS


def test_it_has_a_certificate_of_its_own(project: Project) -> None:
    port = free_port()
    settings = {"SITE": "https://localhost", "PROXY_PUBLISH": f"127.0.0.1:{port}:8443"}
    try:
        project.compose("up", "--detach", "--no-deps", "--wait", "proxy", settings=settings)
        with httpx.Client(verify=False, trust_env=False, timeout=30) as http:
            page = http.get(f"https://localhost:{port}/phone")
        # PUBLIC_URL is this machine, but whoever asks by https may be anybody.
        assert (page.status_code, "a proxy or a tunnel" in page.text) == (403, True)
    finally:
        project.compose("up", "--detach", "--no-deps", "--wait", "proxy")


async def test_one_file_is_for_one_scheduler(project: Project) -> None:
    """A second one on SQLite says why it does not work, and how it would."""
    project.compose("up", "--detach", "--no-deps", "--scale=scheduler=2", "scheduler")
    try:
        async with asyncio.timeout(60):
            while not re.search("one PostgreSQL", await project.composing("logs", "scheduler")):
                await asyncio.sleep(1)
    finally:
        project.compose("up", "--detach", "--no-deps", "--wait", "scheduler")


async def test_two_schedulers_share_a_postgresql(project: Project, line: Line) -> None:
    before = dict(project.settings)
    project.settings |= {
        "COMPOSE_PROFILES": "simulate,postgres",
        "DATABASE_URL": "postgresql://voxbus@postgres/voxbus",
        "SCALE_SCHEDULER": "2",
    }
    try:
        project.compose("up", "--detach", "--wait", "scheduler")
        assert len(project.containers("scheduler")) == 2
        async with line.scheduler() as http:
            office = Office(http)
            ordered = [await office.order(PERSON, "appointment_reminder", {}) for _ in range(2)]
            orders = await asyncio.gather(*(office.came_out(call_id, 90) for call_id in ordered))
        assert [order.state for order in orders] == ["completed", "completed"]
    finally:
        project.settings = before
