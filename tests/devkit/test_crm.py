"""The example CRM: strict about who asks, and about doing a thing once."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator

import httpx
import pytest

from voxbus.devkit.crm import STRANGER, Crm

NUMBER = "+15550100001"


@pytest.fixture
async def crm() -> AsyncIterator[Crm]:
    async with Crm() as made:
        yield made


@pytest.fixture
async def http(crm: Crm) -> AsyncIterator[httpx.AsyncClient]:
    bearer = {"Authorization": f"Bearer {crm.token}"}
    async with httpx.AsyncClient(base_url=crm.url, headers=bearer, trust_env=False, timeout=30) as made:
        yield made


async def test_who_has_an_appointment(http: httpx.AsyncClient) -> None:
    found = await http.get(f"/patients/{NUMBER}/appointments/next")
    assert found.json() == {
        "day": "Wednesday",
        "time": "half past eight in the morning",
        "provider": "Doctor Adams",
    }
    assert (await http.get(f"/patients/{STRANGER}/appointments/next")).status_code == 404


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic x"])
async def test_nothing_without_the_token(crm: Crm, http: httpx.AsyncClient, header: str) -> None:
    refused = await http.get(f"/patients/{NUMBER}/appointments/next", headers={"Authorization": header})
    assert refused.status_code == 401
    assert crm.asked == []


async def test_an_appointment_is_moved_once(http: httpx.AsyncClient) -> None:
    path = f"/patients/{NUMBER}/appointments"
    friday, monday = ({"day": day, "time": "noon"} for day in ("Friday", "Monday"))
    assert (await http.post(path, json=friday)).status_code == 400
    assert (await http.post(path, json={}, headers={"Idempotency-Key": "1"})).status_code == 422
    for wanted, key, day in ((friday, "2", "Friday"), (monday, "3", "Monday"), (friday, "2", "Friday")):
        moved = await http.post(path, json=wanted, headers={"Idempotency-Key": key})
        assert (moved.status_code, moved.json()["day"]) == (201, day)
    assert (await http.get(f"{path}/next")).json()["day"] == "Monday"


async def test_the_command_says_how_to_find_it() -> None:
    command = (sys.executable, "-m", "voxbus.devkit.cli", "simulate", "crm", "--port", "0", "--token", "t1")
    simulator = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert simulator.stdout is not None
    found: dict[str, str] = {}
    async with asyncio.timeout(30):
        while "CRM_TOKEN" not in found:
            name, _, value = (await simulator.stdout.readline()).decode().strip().partition("=")
            found[name] = value
    bearer = {"Authorization": f"Bearer {found['CRM_TOKEN']}"}
    async with httpx.AsyncClient(
        base_url=found["CRM_URL"], headers=bearer, trust_env=False, timeout=30
    ) as http:
        assert (await http.get(f"/patients/{NUMBER}/appointments/next")).status_code == 200
    simulator.send_signal(signal.SIGINT)
    told, _ = await simulator.communicate()
    assert (simulator.returncode, told.strip()) == (0, b'{"asked": 1}')
