"""Every voice against its simulated vendor, over a real socket: what is said, and every way to fail."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import numpy as np
import pytest

from voxbus.common.agents import Voice
from voxbus.common.audio import HZ, active_level_dbfs, mulaw_decode
from voxbus.common.errors import ProviderError, SettingsError
from voxbus.tts.providers import Provider, make_providers
from voxbus.tts.settings import TtsSettings

pytest.importorskip("voxbus.devkit.vendors", reason="the devkit simulates the vendors")

from voxbus.devkit.vendors.faults import Fault
from voxbus.devkit.vendors.server import SIMULATED, Vendors

from .vendors import TEXT, interrupt, make, say

#: As the simulator calls them; where a vendor has more than one protocol, its name is another one.
VENDOR = {"together": "together-speech", "openai": "openai-speech"}
SOCKETS = tuple(name for name in SIMULATED["tts"] if name != "openai")


@pytest.fixture
async def vendors() -> AsyncIterator[Vendors]:
    async with Vendors() as made:
        yield made
        assert made.desk.protocol_errors == []


@pytest.fixture(params=SIMULATED["tts"])
async def provider(vendors: Vendors, request: pytest.FixtureRequest) -> AsyncIterator[Provider]:
    made = make(vendors, request.param)
    await made.start()
    yield made
    await made.close()


def connections(vendors: Vendors, provider: Provider) -> int:
    return vendors.desk.counts[f"{VENDOR.get(provider.name, provider.name)}.requests"]


async def test_a_sentence(provider: Provider) -> None:
    audio = mulaw_decode(await say(provider))
    assert len(audio) > 2 * HZ
    assert active_level_dbfs(audio, HZ) == pytest.approx(-20, abs=1.5)
    # The vendor's silence before and after it is gone; our pause is there.
    assert np.abs(audio[: HZ // 20].astype(int)).max() > 100
    assert np.abs(audio[-HZ // 10 :].astype(int)).max() < 100


async def test_the_next_sentence_is_as_loud(provider: Provider) -> None:
    levels = [active_level_dbfs(mulaw_decode(await say(provider)), HZ) for _ in range(2)]
    assert levels == pytest.approx([-20, -20], abs=1.5)


async def test_sentence_after_sentence(provider: Provider, vendors: Vendors) -> None:
    texts = ("One moment.", TEXT, "Goodbye.")
    sizes = [len(await say(provider, text)) for text in texts]
    assert sizes[1] > max(sizes[0], sizes[2])
    assert connections(vendors, provider) == (3 if provider.name == "openai" else 1)


async def test_sentences_at_the_same_time_do_not_mix(provider: Provider) -> None:
    alone = [len(await say(provider, text)) for text in ("One moment.", TEXT)]
    together = await asyncio.gather(say(provider, "One moment."), say(provider, TEXT))
    assert [len(audio) for audio in together] == pytest.approx(alone, abs=200)


async def test_an_interrupted_sentence_does_not_reach_the_next_one(provider: Provider) -> None:
    whole = len(await say(provider, "Goodbye."))
    for _ in range(6):  # more than a socket of contexts has
        await interrupt(provider, TEXT * 4)
        assert len(await say(provider, "Goodbye.")) == pytest.approx(whole, abs=200)


async def test_one_that_is_interrupted_before_its_first_audio(provider: Provider, vendors: Vendors) -> None:
    whole = len(await say(provider, "Goodbye."))
    vendors.desk.faults.always(VENDOR.get(provider.name, provider.name), Fault("slow", delay_s=0.05))
    task = asyncio.create_task(say(provider, TEXT * 2))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    vendors.desk.faults.always(VENDOR.get(provider.name, provider.name), None)
    assert len(await say(provider, "Goodbye.")) == pytest.approx(whole, abs=200)


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (Fault("rate_limited"), "rate_limited"),
        (Fault("overloaded"), "overloaded"),
        (Fault("server_error"), "server_error"),
        (Fault("quota"), "quota"),
        (Fault("unauthorized"), "auth"),
        (Fault("stall"), "first_audio_timeout"),
        (Fault("stall", after=6), "paused"),
        (Fault("cut", after=6), "connection"),
        (Fault("malformed"), "malformed"),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", SIMULATED["tts"])
async def test_failures_say_what_they_are_and_the_next_sentence_is_said(
    vendors: Vendors, name: str, fault: Fault, cause: str
) -> None:
    if (name, fault.kind) in (("openai", "malformed"), ("deepgram-aura", "malformed")):
        return  # audio has no form that could be wrong
    vendors.desk.faults.plan(VENDOR.get(name, name), fault)
    vendors.desk.faults.plan(f"{name}-rest", fault)
    provider = make(vendors, name, first_audio_s=1.0 if fault.kind == "stall" else 5.0)
    with pytest.raises(ProviderError) as caught:
        await say(provider, TEXT * 3)
    # Cloudflare says of a full house what others say of one that is asked too much.
    same = {"cloudflare-aura": {"overloaded": "rate_limited"}}
    assert caught.value.cause == same.get(name, {}).get(cause, cause)
    await provider.close()
    again = make(vendors, name)
    assert await say(again)
    await again.close()


async def test_a_socket_is_flushed_no_oftener_than_it_may_be(vendors: Vendors) -> None:
    aura = make(vendors, "deepgram-aura")
    for _ in range(25):
        await say(aura, "Yes.")
    assert connections(vendors, aura) == 2
    await aura.close()


@pytest.mark.parametrize(
    "fault",
    [Fault("rate_limited"), Fault("overloaded"), Fault("server_error"), Fault("cut"), Fault("malformed")],
    ids=str,
)
async def test_without_a_socket_a_sentence_is_a_request(vendors: Vendors, fault: Fault) -> None:
    aura = make(vendors, "deepgram-aura")
    whole = len(await say(aura))
    await aura.close()
    vendors.desk.faults.always("deepgram-aura", fault)
    aura = make(vendors, "deepgram-aura")
    for _ in range(2):
        audio = await say(aura)
        assert len(audio) == pytest.approx(whole, abs=200)
        assert active_level_dbfs(mulaw_decode(audio), HZ) == pytest.approx(-20, abs=1.5)
    assert vendors.desk.counts["deepgram-aura-rest.requests"] == 2
    await aura.close()


async def test_sockets_that_are_used_up_and_no_new_ones_leave_requests(vendors: Vendors) -> None:
    aura = make(vendors, "deepgram-aura")
    for _ in range(19):
        await say(aura, "Yes.")
    vendors.desk.faults.always("deepgram-aura", Fault("rate_limited"))
    for _ in range(3):
        assert await say(aura, "Yes.")
    assert vendors.desk.counts["deepgram-aura-rest.requests"] == 3
    await aura.close()


async def test_what_was_begun_over_a_socket_is_not_begun_again(vendors: Vendors) -> None:
    vendors.desk.faults.plan("deepgram-aura", Fault("cut", after=6))
    aura = make(vendors, "deepgram-aura")
    with pytest.raises(ProviderError):
        await say(aura, TEXT * 3)
    assert vendors.desk.counts["deepgram-aura-rest.requests"] == 0
    await aura.close()


async def test_a_request_that_is_not_wanted_any_more_is_left(vendors: Vendors) -> None:
    vendors.desk.faults.always("deepgram-aura", Fault("rate_limited"))
    aura = make(vendors, "deepgram-aura")
    for _ in range(3):
        await interrupt(aura, TEXT * 4)
    assert await say(aura, "Goodbye.")
    await aura.close()


@pytest.mark.parametrize("name", SOCKETS)
async def test_an_idle_socket_that_went_away_is_replaced_unheard(name: str) -> None:
    async with Vendors() as first:
        provider = make(first, name)
        await say(provider, "Yes.")
        port = int(first.url.rpartition(":")[2])
    async with Vendors(port=port):  # the vendor was restarted
        assert await say(provider, "Yes.")
    await provider.close()


@pytest.mark.parametrize("name", SOCKETS)
async def test_a_call_that_begins_warms_a_socket(vendors: Vendors, name: str) -> None:
    provider = make(vendors, name)
    voice = provider.resolve(Voice())
    assert voice is not None
    provider.warm(voice)
    async with asyncio.timeout(30):
        while not connections(vendors, provider):
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    await say(provider)
    assert connections(vendors, provider) == 1
    await provider.close()


@pytest.mark.parametrize("name", SIMULATED["tts"])
async def test_nobody_there(name: str) -> None:
    async with Vendors() as gone:
        provider = make(gone, name, first_audio_s=1.0)
    with pytest.raises(ProviderError) as caught:
        await say(provider)
    assert caught.value.cause == "connection"
    await provider.close()


async def test_names_of_voices_tell_whose_they_are(vendors: Vendors) -> None:
    providers = [make(vendors, name) for name in SIMULATED["tts"]]
    defaults = {provider.name: provider.resolve(Voice()) for provider in providers}
    for provider, other in itertools.product(providers, providers):
        theirs = defaults[other.name]
        assert theirs is not None
        if provider is other:
            assert provider.resolve(Voice(name=theirs.name)) == theirs
        elif theirs.name != "alloy":  # a word, as Cloudflare's speakers are
            assert provider.resolve(Voice(name=theirs.name)) is None
        assert provider.resolve(Voice(name="en-us+f3")) is None
        named = provider.resolve(Voice(provider=provider.name, name="my-own"))
        assert named is not None
        assert named.name == "my-own"
    for provider in providers:
        await provider.close()


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("deepgram-aura", "DEEPGRAM_API_KEY"),
        ("cloudflare-aura", "CLOUDFLARE_ACCOUNT_ID"),
        ("together", "TOGETHER_API_KEY"),
        ("openai", "OPENAI_API_KEY"),
        ("elevenlabs", "ELEVENLABS_API_KEY"),
        ("cartesia", "CARTESIA_API_KEY"),
    ],
)
def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, name: str, variable: str) -> None:
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(SettingsError, match=f"{variable} is not set: the provider {name} needs it"):
        make_providers(TtsSettings(tts_providers=name))
