"""Every recognizer against its simulated vendor, over a real socket: what is heard, and every way to fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from voxbus.common.agent_files import load_agents, resolve
from voxbus.common.errors import ProviderError
from voxbus.common.providers.breaker import Breakers
from voxbus.stt.providers import make_all
from voxbus.stt.providers.chain import Chain
from voxbus.stt.recognizer import Hearing, Recognizer, TurnEnds
from voxbus.stt.settings import SttSettings

pytest.importorskip("voxbus.devkit.vendors", reason="the devkit simulates the vendors")

from voxbus.devkit.speech import speak
from voxbus.devkit.vendors.faults import Fault, Kind
from voxbus.devkit.vendors.server import SIMULATED, Vendors

from .hearing import AGENT, PAUSE, TUESDAY, WORKS, Told, audio, plain, utter

AGENTS = Path(__file__).parents[2] / "agents"
#: As the simulator calls them; where a vendor has more than one protocol, its name is another one.
VENDOR = {"together": "together-realtime"}
ASKED = ("openai-transcribe", "groq-transcribe", "cloudflare-whisper")
STREAMED = tuple(name for name in SIMULATED["stt"] if name not in ASKED)


@pytest.fixture
async def vendors() -> AsyncIterator[Vendors]:
    async with Vendors() as made:
        made.desk.book.learn(speak(text) for text in (TUESDAY, WORKS))
        yield made
        assert made.desk.protocol_errors == []


@pytest.fixture
def told() -> Told:
    return Told()


Attend = Callable[[str], Awaitable[Hearing]]


@pytest.fixture
async def attend(vendors: Vendors, told: Told) -> AsyncIterator[Attend]:
    made: list[tuple[Recognizer, Hearing]] = []

    async def start(name: str) -> Hearing:
        given = {key.lower(): value for key, value in vendors.environment.items()}
        recognizer = make_all(SttSettings.model_validate({"stt_providers": name, **given}))[name]
        await recognizer.start()
        made.append((recognizer, recognizer.attend(AGENT, TurnEnds(0.7), told.listener())))
        return made[-1][1]

    yield start
    for recognizer, hearing in made:
        await hearing.close()
        await recognizer.close()


@pytest.mark.parametrize("name", SIMULATED["stt"])
async def test_what_was_said(name: str, attend: Attend, told: Told) -> None:
    recognition = (await attend(name)).open()
    await utter(recognition, audio(TUESDAY) + PAUSE[:1280])
    recognition.look()
    await utter(recognition, PAUSE[:3000], pace_s=0.02)
    assert plain((await recognition.finish(looked=True)).text) == TUESDAY
    if name != "together":  # which says nothing before the turn is over
        assert told.partials
    assert (told.lost, told.failures) == ([], [])


@pytest.mark.parametrize("name", SIMULATED["stt"])
async def test_speech_after_a_look_is_heard_too(name: str, attend: Attend) -> None:
    recognition = (await attend(name)).open()
    await utter(recognition, audio(WORKS) + PAUSE[:4000])
    recognition.look()
    await utter(recognition, audio(TUESDAY) + PAUSE[:4000])
    heard = plain((await recognition.finish(looked=False)).text)
    assert heard == f"{WORKS} {TUESDAY}"


@pytest.mark.parametrize("name", SIMULATED["stt"])
async def test_turns_keep_their_words_apart(name: str, attend: Attend) -> None:
    hearing = await attend(name)
    for text in (TUESDAY, WORKS, TUESDAY):
        recognition = hearing.open()
        await utter(recognition, audio(text) + PAUSE[:3000])
        assert plain((await recognition.finish(looked=False)).text) == text
        await asyncio.sleep(0.3)


@pytest.mark.parametrize("name", SIMULATED["stt"])
async def test_what_was_cancelled_is_nobodys(name: str, attend: Attend) -> None:
    hearing = await attend(name)
    cancelled = hearing.open()
    await utter(cancelled, audio(TUESDAY) + PAUSE[:3000])
    cancelled.cancel()
    await asyncio.sleep(1.0)
    recognition = hearing.open()
    await utter(recognition, audio(WORKS) + PAUSE[:3000])
    assert plain((await recognition.finish(looked=False)).text) == WORKS


@pytest.mark.parametrize("name", SIMULATED["stt"])
async def test_noise_has_no_words(name: str, attend: Attend) -> None:
    recognition = (await attend(name)).open()
    await utter(recognition, PAUSE)
    async with asyncio.timeout(30):
        assert (await recognition.finish(looked=False)).text == ""


@pytest.mark.parametrize("name", STREAMED)
async def test_a_connection_that_breaks_loses_nothing(
    name: str, vendors: Vendors, attend: Attend, told: Told
) -> None:
    vendor = VENDOR.get(name, name)
    vendors.desk.faults.plan(vendor, Fault("cut", after=1))
    recognition = (await attend(name)).open()
    await utter(recognition, audio(TUESDAY) + PAUSE[:3000])
    assert plain((await recognition.finish(looked=False)).text) == TUESDAY
    assert vendors.desk.counts[f"{vendor}.requests"] == 2
    assert told.lost == []


@pytest.mark.parametrize("name", STREAMED)
async def test_what_is_no_message_ends_the_connection_and_not_the_call(
    name: str, vendors: Vendors, attend: Attend
) -> None:
    vendors.desk.faults.plan(VENDOR.get(name, name), Fault("malformed", after=1))
    recognition = (await attend(name)).open()
    await utter(recognition, audio(WORKS) + PAUSE[:3000])
    assert plain((await recognition.finish(looked=False)).text) == WORKS


@pytest.mark.parametrize("name", STREAMED)
async def test_one_that_falls_silent_costs_its_words_and_no_more(
    name: str, vendors: Vendors, attend: Attend
) -> None:
    vendors.desk.faults.plan(VENDOR.get(name, name), Fault("stall"))
    recognition = (await attend(name)).open()
    await utter(recognition, audio(WORKS))
    async with asyncio.timeout(30):
        assert (await recognition.finish(looked=False)).text == ""


@pytest.mark.parametrize("name", STREAMED)
@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("rate_limited", "rate_limited"),
        ("quota", "quota"),
        ("unauthorized", "auth"),
        ("server_error", "server_error"),
    ],
)
async def test_a_refusal_drops_speech_and_counts_it(
    name: str, vendors: Vendors, attend: Attend, told: Told, kind: Kind, cause: str
) -> None:
    vendors.desk.faults.always(VENDOR.get(name, name), Fault(kind))
    hearing = await attend(name)
    async with asyncio.timeout(30):
        while not told.failures:
            await asyncio.sleep(0.01)
    recognition = hearing.open()
    recognition.feed(b"\x00" * 1600)
    with pytest.raises(ProviderError) as caught:
        await recognition.finish(looked=False)
    assert caught.value.cause == told.failures[0] == cause
    assert told.lost == [(10, "provider_refuses")]


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (Fault("rate_limited"), "rate_limited"),
        (Fault("quota"), "quota"),
        (Fault("unauthorized"), "auth"),
        (Fault("server_error"), "server_error"),
        (Fault("cut"), "connection"),
        (Fault("malformed"), "malformed"),
    ],
    ids=str,
)
async def test_a_request_that_fails_says_why_and_the_next_is_heard(
    name: str, vendors: Vendors, attend: Attend, told: Told, fault: Fault, cause: str
) -> None:
    vendors.desk.faults.plan(name, fault)
    hearing = await attend(name)
    failing = hearing.open()
    failing.feed(audio(WORKS))
    with pytest.raises(ProviderError) as caught:
        await failing.finish(looked=False)
    assert caught.value.cause == told.failures[0] == cause
    recognition = hearing.open()
    recognition.feed(audio(WORKS))
    assert (await recognition.finish(looked=False)).text == WORKS


async def test_nova_is_kept_alive_and_flux_fed_with_silence(vendors: Vendors, attend: Attend) -> None:
    await attend("deepgram-nova")
    await attend("cloudflare-flux")
    async with asyncio.timeout(30):
        while not (
            vendors.desk.counts["deepgram-nova.KeepAlive"]
            and vendors.desk.counts["cloudflare-flux.audio"] > 3
        ):
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("second", ["pocketsphinx", "openai-transcribe"])
async def test_where_the_first_refuses_the_second_hears_the_turn_from_its_beginning(
    vendors: Vendors, told: Told, second: str
) -> None:
    vendors.desk.faults.always("deepgram-flux", Fault("rate_limited"))
    given = {key.lower(): value for key, value in vendors.environment.items()} | {"stt_processes": "1"}
    settings = SttSettings.model_validate({"stt_providers": f"deepgram-flux,{second}", **given})
    recognizers = make_all(settings)
    for recognizer in recognizers.values():
        await recognizer.start()
    agent = resolve(load_agents(AGENTS)["appointment_reminder"], {})
    switched: list[bool] = []
    listener = replace(told.listener(), on_provider=switched.append)
    hearing = Chain(recognizers, Breakers()).attend(agent, TurnEnds(0.7), listener)
    recognition = hearing.open()
    await utter(recognition, audio(WORKS) + PAUSE[:2400])
    recognition.look()
    assert plain((await recognition.finish(looked=True)).text) == WORKS
    assert (switched, told.lost) == ([True, False], [])
    await hearing.close()
    for recognizer in recognizers.values():
        await recognizer.close()


@pytest.mark.parametrize("name", SIMULATED["stt"])
async def test_a_call_that_is_left_amid_speech_keeps_no_connection(
    name: str, vendors: Vendors, told: Told
) -> None:
    given = {key.lower(): value for key, value in vendors.environment.items()}
    recognizer = make_all(SttSettings.model_validate({"stt_providers": name, **given}))[name]
    await recognizer.start()
    vendors.desk.faults.always(VENDOR.get(name, name), Fault("stall"))
    for _ in range(3):
        hearing = recognizer.attend(AGENT, TurnEnds(0.7), told.listener())
        await hearing.ready()
        recognition = hearing.open()
        await utter(recognition, audio(WORKS))
        recognition.look()
        asked = asyncio.create_task(recognition.finish(looked=True))
        await asyncio.sleep(0.02)
        asked.cancel()
        recognition.cancel()
        await hearing.close()
    await recognizer.close()
    async with asyncio.timeout(20):
        while vendors.connections:
            await asyncio.sleep(0.02)
