"""The provider ``deepgram-aura`` against the simulated vendor, over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest

from voxbus.common.agents import Voice
from voxbus.common.audio import HZ, active_level_dbfs, mulaw_decode
from voxbus.common.errors import ProviderError
from voxbus.tts.providers.deepgram_aura import DeepgramAura

pytest.importorskip("voxbus.devkit.vendors", reason="the devkit simulates the vendors")

from voxbus.devkit.vendors.faults import Fault, Kind
from voxbus.devkit.vendors.server import Vendors

from .vendors import TEXT, interrupt, say


@pytest.fixture
async def vendors() -> AsyncIterator[Vendors]:
    async with Vendors() as made:
        yield made
        assert made.desk.protocol_errors == []


@pytest.fixture
async def aura(vendors: Vendors) -> AsyncIterator[DeepgramAura]:
    made = DeepgramAura(f"{vendors.url}/deepgram", "k", "", first_audio_s=5.0)
    await made.start()
    yield made
    await made.close()


async def test_a_sentence(aura: DeepgramAura) -> None:
    audio = mulaw_decode(await say(aura))
    assert len(audio) > 2 * HZ
    assert active_level_dbfs(audio, HZ) == pytest.approx(-20, abs=1.5)
    # The vendor's silence before and after it is gone; our pause is there.
    assert np.abs(audio[: HZ // 20].astype(int)).max() > 100
    assert np.abs(audio[-HZ // 10 :].astype(int)).max() < 100


async def test_what_is_known_of_a_voice_is_not_measured_again(aura: DeepgramAura) -> None:
    first, second = await say(aura), await say(aura)
    levels = [active_level_dbfs(mulaw_decode(audio), HZ) for audio in (first, second)]
    assert levels == pytest.approx([-20, -20], abs=1.5)


async def test_one_socket_says_sentence_after_sentence(aura: DeepgramAura, vendors: Vendors) -> None:
    await say(aura)
    await say(aura)
    assert vendors.desk.counts["deepgram-aura.requests"] == 1
    assert vendors.desk.counts["deepgram-aura.Flush"] == 2


async def test_sentences_at_the_same_time_have_sockets_of_their_own(
    aura: DeepgramAura, vendors: Vendors
) -> None:
    one, two = await asyncio.gather(say(aura, "One moment."), say(aura, "Goodbye."))
    assert one != two
    assert vendors.desk.counts["deepgram-aura.requests"] == 2


async def test_an_interrupted_sentence_does_not_reach_the_next_one(
    aura: DeepgramAura, vendors: Vendors
) -> None:
    goodbye = await say(aura, "Goodbye.")
    await interrupt(aura, TEXT * 4)
    async with asyncio.timeout(5):
        while not vendors.desk.counts["deepgram-aura.Clear"]:
            await asyncio.sleep(0.01)
    assert abs(len(await say(aura, "Goodbye.")) - len(goodbye)) < 200


async def test_a_socket_is_flushed_no_oftener_than_it_may_be(aura: DeepgramAura, vendors: Vendors) -> None:
    for _ in range(25):
        await say(aura, "Yes.")
    assert vendors.desk.counts["deepgram-aura.requests"] == 2


async def test_a_socket_that_went_away_is_replaced_unheard(aura: DeepgramAura, vendors: Vendors) -> None:
    vendors.desk.faults.plan("deepgram-aura", Fault("cut", after=20))
    with pytest.raises(ProviderError):
        await say(aura, TEXT * 4)
    assert await say(aura)
    async with Vendors(port=0) as others:
        moved = DeepgramAura(f"{others.url}/deepgram", "k", "", first_audio_s=5.0)
        await say(moved)
        (idle,) = (socket for sockets in moved._idle.values() for socket in sockets)
        idle._connection.transport.abort()
        assert await say(moved)
        await moved.close()


async def test_a_call_that_begins_warms_a_socket(aura: DeepgramAura, vendors: Vendors) -> None:
    voice = aura.resolve(Voice())
    assert voice is not None
    aura.warm(voice)
    async with asyncio.timeout(5):
        while not vendors.desk.counts["deepgram-aura.requests"]:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    await say(aura)
    assert vendors.desk.counts["deepgram-aura.requests"] == 1


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("rate_limited", "rate_limited"),
        ("overloaded", "overloaded"),
        ("server_error", "server_error"),
        ("quota", "quota"),
        ("unauthorized", "auth"),
        ("malformed", "malformed"),
        ("stall", "first_audio_timeout"),
        ("cut", "connection"),
    ],
)
async def test_failures_say_what_they_are_and_the_next_sentence_is_said(
    vendors: Vendors, kind: Kind, cause: str
) -> None:
    aura = DeepgramAura(f"{vendors.url}/deepgram", "k", "", first_audio_s=0.5 if kind == "stall" else 5.0)
    vendors.desk.faults.plan("deepgram-aura", Fault(kind))
    with pytest.raises(ProviderError) as caught:
        await say(aura)
    assert caught.value.cause == cause
    vendors.desk.faults.plan("deepgram-aura")
    aura._voicing._first_audio_s = aura._first_audio_s = 5.0
    assert await say(aura)
    await aura.close()


async def test_nobody_there() -> None:
    aura = DeepgramAura("http://127.0.0.1:9", "k", "", first_audio_s=1.0)
    with pytest.raises(ProviderError) as caught:
        await say(aura)
    assert caught.value.cause == "connection"
    await aura.close()


async def test_voices(aura: DeepgramAura) -> None:
    assert aura.resolve(Voice(name="en-us+f3")) is None
    named = aura.resolve(Voice(name="aura-2-luna-en"))
    assert named is not None
    assert (named.provider, named.name) == ("deepgram-aura", "aura-2-luna-en")
