"""A sentence that is not wanted any more, or does not come, leaves nothing behind at the vendor."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from voxbus.common.agents import Voice
from voxbus.common.errors import ProviderError
from voxbus.tts.providers import Provider

pytest.importorskip("voxbus.devkit.vendors", reason="the devkit simulates the vendors")

from voxbus.devkit.vendors.faults import Fault
from voxbus.devkit.vendors.server import SIMULATED, Vendors

from .vendors import TEXT, make, say

#: As the simulator calls them; where a vendor has more than one protocol, its name is another one.
VENDOR = {"together": "together-speech", "openai": "openai-speech"}
SOCKETS = tuple(name for name in SIMULATED["tts"] if name != "openai")
#: So far apart that whoever listens waits for the next one.
SLOW = Fault("slow", delay_s=0.02)


@pytest.fixture
async def vendors() -> AsyncIterator[Vendors]:
    async with Vendors() as made:
        yield made


async def cancel(provider: Provider, *, after_s: float | None = None) -> None:
    """As a worker does it, amid waiting: with the first audio, or ``after_s`` from now."""
    loop = asyncio.get_running_loop()
    voice = provider.resolve(Voice())
    assert voice is not None
    scope = asyncio.timeout(after_s)
    with contextlib.suppress(TimeoutError):
        async with scope, contextlib.aclosing(provider.speak(TEXT * 2, voice)) as audio:
            async for _ in audio:
                scope.reschedule(loop.time())


async def until_connected(vendors: Vendors, most: int) -> None:
    async with asyncio.timeout(20):
        while vendors.connections > most:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("name", SOCKETS)
async def test_a_socket_whose_sentence_was_cancelled_says_another_one(vendors: Vendors, name: str) -> None:
    provider = make(vendors, name)
    whole = len(await say(provider, "Goodbye."))
    vendors.desk.faults.always(VENDOR.get(name, name), SLOW)
    for _ in range(4):
        await cancel(provider)
        await asyncio.sleep(0.2)  # for what the vendor may still have to say
    vendors.desk.faults.always(VENDOR.get(name, name), None)
    assert vendors.desk.counts[f"{VENDOR.get(name, name)}.requests"] < 4
    assert len(await say(provider, "Goodbye.")) == pytest.approx(whole, abs=200)
    await provider.close()
    await until_connected(vendors, 0)


@pytest.mark.parametrize("name", SIMULATED["tts"])
async def test_one_that_is_cancelled_before_its_first_audio_keeps_no_connection(
    vendors: Vendors, name: str
) -> None:
    vendors.desk.faults.always(VENDOR.get(name, name), Fault("stall"))
    provider = make(vendors, name)
    for _ in range(4):
        await cancel(provider, after_s=0.1)
    await provider.close()
    await until_connected(vendors, 0)


@pytest.mark.parametrize("name", SIMULATED["tts"])
@pytest.mark.parametrize("after", [0, 6])
async def test_a_vendor_that_stalls_is_left(vendors: Vendors, name: str, after: int) -> None:
    vendors.desk.faults.always(VENDOR.get(name, name), Fault("stall", after=after))
    provider = make(vendors, name, first_audio_s=0.5)
    for _ in range(2):
        with pytest.raises(ProviderError):
            await say(provider, TEXT * 2)
    await until_connected(vendors, 0)
    vendors.desk.faults.always(VENDOR.get(name, name), None)
    assert await say(provider, "Goodbye.")
    await provider.close()


async def test_a_request_that_is_cancelled_keeps_no_connection(vendors: Vendors) -> None:
    vendors.desk.faults.always("deepgram-aura", Fault("rate_limited"))
    vendors.desk.faults.always("deepgram-aura-rest", SLOW)
    provider = make(vendors, "deepgram-aura")
    for _ in range(4):
        await cancel(provider)
    await until_connected(vendors, 1)  # one that was refused is kept open for the next request
    await provider.close()
    await until_connected(vendors, 0)


@pytest.mark.parametrize("name", SOCKETS)
async def test_a_worker_that_leaves_waits_for_no_vendor(vendors: Vendors, name: str) -> None:
    vendors.desk.faults.always(VENDOR.get(name, name), Fault("stall", after=6))
    provider = make(vendors, name)
    await asyncio.gather(*(cancel(provider, after_s=0.3) for _ in range(3)))
    await provider.close()
    await until_connected(vendors, 0)
