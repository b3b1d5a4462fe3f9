"""``voxbus simulate providers``, as one types it."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import aiohttp

AGENTS = Path(__file__).parents[3] / "agents"
COMMAND = (sys.executable, "-m", "voxbus.devkit.cli", "simulate", "providers", "--port", "0")


async def start(*more: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*COMMAND, *more, stdout=pipe, stderr=pipe)


async def variables(simulator: asyncio.subprocess.Process) -> dict[str, str]:
    """What it prints, up to the last one."""
    assert simulator.stdout is not None
    found: dict[str, str] = {}
    async with asyncio.timeout(30):
        while "CLOUDFLARE_GATEWAY" not in found:
            name, _, value = (await simulator.stdout.readline()).decode().strip().partition("=")
            found[name] = value
    return found


async def end(simulator: asyncio.subprocess.Process) -> tuple[int, str]:
    simulator.send_signal(signal.SIGINT)
    _, complaints = await simulator.communicate()
    assert simulator.returncode is not None
    return simulator.returncode, complaints.decode()


async def test_it_says_how_to_find_it_and_ends_well() -> None:
    simulator = await start("--agents", str(AGENTS))
    found = await variables(simulator)
    root = found["DEEPGRAM_BASE_URL"].removesuffix("/deepgram")
    async with aiohttp.ClientSession() as http, http.get(f"{root}/simulator") as state:
        assert await state.json() == {"counts": {}, "protocol_errors": []}
    assert await end(simulator) == (0, "")


async def test_what_was_wrong_is_said_at_the_end() -> None:
    simulator = await start("--agents", str(AGENTS))
    url = f"{(await variables(simulator))['OPENAI_BASE_URL']}/chat/completions"
    async with aiohttp.ClientSession() as http, http.post(url, json={}) as refused:
        assert refused.status == 401
    assert await end(simulator) == (1, "protocol error: openai: no Authorization: Bearer\n")


async def test_agents_that_are_not_there(tmp_path: Path) -> None:
    simulator = await start("--agents", str(tmp_path))
    _, complaints = await simulator.communicate()
    assert simulator.returncode == 2
    assert b"no agent definitions" in complaints
