"""The provider ``deepgram-flux`` against the simulated vendor, over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from voxbus.common.errors import ProviderError
from voxbus.stt.providers.deepgram_flux import DeepgramFlux, Flux, thresholds
from voxbus.stt.recognizer import Hearing, TurnEnds

pytest.importorskip("voxbus.devkit.vendors", reason="the devkit simulates the vendors")

from voxbus.devkit.speech import speak
from voxbus.devkit.vendors.faults import Fault, Kind
from voxbus.devkit.vendors.server import Vendors

from .hearing import AGENT, PAUSE, TUESDAY, WORKS, Told, audio, utter

NAME = "deepgram-flux"


@pytest.fixture
async def vendors() -> AsyncIterator[Vendors]:
    async with Vendors() as made:
        made.desk.book.learn(speak(text) for text in (TUESDAY, WORKS))
        yield made
        assert made.desk.protocol_errors == []


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def hearing(vendors: Vendors, told: Told) -> AsyncIterator[Hearing]:
    made = DeepgramFlux(f"{vendors.url}/deepgram", "k", "").attend(AGENT, TurnEnds(0.7), told.listener())
    yield made
    await made.close()


async def connected(vendors: Vendors, times: int = 1) -> None:
    async with asyncio.timeout(30):
        while vendors.desk.counts[f"{NAME}.audio"] < times:
            await asyncio.sleep(0.01)


async def test_the_model_ends_the_turn(vendors: Vendors, hearing: Hearing, told: Told) -> None:
    recognition = hearing.open()
    await utter(recognition, audio(TUESDAY) + PAUSE)
    async with asyncio.timeout(30):
        await told.ended.wait()
    assert told.ends == [0.95]
    transcript = await recognition.finish(looked=False)
    assert transcript.text == "I'd like to move it to tuesday at nine."
    assert transcript.confidence == pytest.approx(0.98)
    assert told.partials[0] != told.partials[-1]
    assert vendors.desk.counts[f"{NAME}.ForceEndTurn"] == 0


async def test_a_guess_comes_before_the_end(vendors: Vendors, told: Told) -> None:
    flux = DeepgramFlux(f"{vendors.url}/deepgram", "k", "")
    hearing = flux.attend(AGENT, TurnEnds(0.85, likely=0.1), told.listener())  # 0.3 is the lowest there
    recognition = hearing.open()
    await utter(recognition, audio(WORKS) + PAUSE)
    async with asyncio.timeout(30):
        await told.ended.wait()
    assert told.turn == ["Yes that works.", "ended"]
    assert (await recognition.finish(looked=False)).text == "Yes that works."
    await hearing.close()


async def test_a_guess_was_wrong_when_the_caller_goes_on(vendors: Vendors, told: Told) -> None:
    flux = DeepgramFlux(f"{vendors.url}/deepgram", "k", "")
    hearing = flux.attend(AGENT, TurnEnds(0.85, likely=0.5), told.listener())
    recognition = hearing.open()
    await utter(recognition, audio(WORKS) + PAUSE[: 200 * 8] + audio(TUESDAY) + PAUSE)
    async with asyncio.timeout(30):
        await told.ended.wait()
    assert told.turn[:2] == ["Yes that works.", "resumed"]
    assert told.turn[-1] == "ended"
    await recognition.finish(looked=False)
    await hearing.close()


@pytest.mark.parametrize(
    ("ends", "asked"),
    [
        (TurnEnds(0.85), {"eot_threshold": 0.85}),
        (TurnEnds(0.85, likely=0.5), {"eot_threshold": 0.85, "eager_eot_threshold": 0.5}),
        (TurnEnds(0.4, likely=0.2), {"eot_threshold": 0.5, "eager_eot_threshold": 0.3}),
        (TurnEnds(1.0, likely=0.9), {"eot_threshold": 0.9}),
        (TurnEnds(0.6, likely=0.6), {"eot_threshold": 0.6}),
    ],
)
def test_thresholds_are_such_that_the_model_takes_them(ends: TurnEnds, asked: dict[str, float]) -> None:
    assert thresholds(ends, 0.5, 0.9) == asked


async def test_silence_is_fed_when_there_is_nothing_to_feed(hearing: Hearing, told: Told) -> None:
    recognition = hearing.open()
    await utter(recognition, audio(WORKS))  # and not one frame after it
    async with asyncio.timeout(30):
        await told.ended.wait()
    assert (await recognition.finish(looked=False)).text == "Yes that works."


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is known within a test did not wait for the last words in vain."""
    monkeypatch.setattr(Flux, "last_words_s", 600.0)


@pytest.mark.usefixtures("patient")
async def test_a_turn_that_others_end_has_its_words_at_once(vendors: Vendors, hearing: Hearing) -> None:
    await connected(vendors)
    recognition = hearing.open()
    await utter(recognition, audio(TUESDAY)[:-1600])
    async with asyncio.timeout(30):
        transcript = await recognition.finish(looked=False)
    assert TUESDAY.startswith(transcript.text.lower().rstrip(".")[:20])
    assert vendors.desk.counts[f"{NAME}.ForceEndTurn"] == 1


async def test_turns_keep_their_words_apart(hearing: Hearing, told: Told) -> None:
    first = hearing.open()
    await utter(first, audio(TUESDAY))
    finishing = asyncio.create_task(first.finish(looked=False))
    await asyncio.sleep(0)
    second = hearing.open()  # the caller goes on while the words of the first are still being read
    await utter(second, audio(WORKS) + PAUSE)
    assert (await finishing).text.startswith("I'd like to move it")
    assert (await second.finish(looked=False)).text == "Yes that works."


@pytest.mark.usefixtures("patient")
async def test_noise_has_no_words_and_costs_no_time(vendors: Vendors, hearing: Hearing) -> None:
    await connected(vendors)
    recognition = hearing.open()
    await utter(recognition, PAUSE)
    async with asyncio.timeout(30):
        assert (await recognition.finish(looked=False)).text == ""


async def test_what_was_cancelled_is_nobodys(hearing: Hearing, told: Told) -> None:
    cancelled = hearing.open()
    await utter(cancelled, audio(TUESDAY))
    cancelled.cancel()
    await asyncio.sleep(1.0)  # its turn ends in the silence
    recognition = hearing.open()
    await utter(recognition, audio(WORKS) + PAUSE)
    assert (await recognition.finish(looked=False)).text == "Yes that works."


async def test_a_connection_that_breaks_loses_nothing(vendors: Vendors, told: Told) -> None:
    vendors.desk.faults.plan(NAME, Fault("cut", after=3))
    hearing = DeepgramFlux(f"{vendors.url}/deepgram", "k", "").attend(AGENT, TurnEnds(0.7), told.listener())
    recognition = hearing.open()
    await utter(recognition, audio(TUESDAY) + PAUSE)
    assert (await recognition.finish(looked=False)).text == "I'd like to move it to tuesday at nine."
    assert vendors.desk.counts[f"{NAME}.requests"] == 2
    assert (told.lost, told.failures) == ([], [])
    await hearing.close()


async def test_speech_before_the_connection_is_heard(vendors: Vendors, told: Told) -> None:
    hearing = DeepgramFlux(f"{vendors.url}/deepgram", "k", "").attend(AGENT, TurnEnds(0.7), told.listener())
    recognition = hearing.open()
    recognition.feed(audio(WORKS) + PAUSE)
    async with asyncio.timeout(30):
        await told.ended.wait()
    assert (await recognition.finish(looked=False)).text == "Yes that works."
    await hearing.close()


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("rate_limited", "rate_limited"),
        ("overloaded", "overloaded"),
        ("quota", "quota"),
        ("unauthorized", "auth"),
    ],
)
async def test_a_refusal_drops_speech_and_counts_it(
    vendors: Vendors, told: Told, kind: Kind, cause: str
) -> None:
    vendors.desk.faults.always(NAME, Fault(kind))
    hearing = DeepgramFlux(f"{vendors.url}/deepgram", "k", "").attend(AGENT, TurnEnds(0.7), told.listener())
    async with asyncio.timeout(30):
        while not told.failures:
            await asyncio.sleep(0.01)
    recognition = hearing.open()
    recognition.feed(b"\x00" * 1600)
    with pytest.raises(ProviderError) as caught:
        await recognition.finish(looked=False)
    assert caught.value.cause == told.failures[0] == cause
    assert told.lost == [(10, "provider_refuses")]
    await hearing.close()


async def test_after_a_refusal_the_next_words_are_heard(vendors: Vendors, told: Told) -> None:
    vendors.desk.faults.plan(NAME, Fault("rate_limited"))
    hearing = DeepgramFlux(f"{vendors.url}/deepgram", "k", "").attend(AGENT, TurnEnds(0.7), told.listener())
    await connected(vendors)
    recognition = hearing.open()
    await utter(recognition, audio(WORKS) + PAUSE)
    assert (await recognition.finish(looked=False)).text == "Yes that works."
    await hearing.close()


async def test_a_vendor_that_falls_silent_costs_its_words_and_no_more(vendors: Vendors, told: Told) -> None:
    vendors.desk.faults.plan(NAME, Fault("stall", after=4))
    hearing = DeepgramFlux(f"{vendors.url}/deepgram", "k", "").attend(AGENT, TurnEnds(0.7), told.listener())
    recognition = hearing.open()
    await utter(recognition, audio(TUESDAY) + PAUSE)
    async with asyncio.timeout(30):
        transcript = await recognition.finish(looked=False)
    assert transcript.text.startswith("I'd")
    await hearing.close()


async def test_what_is_no_message_ends_the_connection_and_not_the_call(vendors: Vendors, told: Told) -> None:
    vendors.desk.faults.plan(NAME, Fault("malformed", after=2))
    hearing = DeepgramFlux(f"{vendors.url}/deepgram", "k", "").attend(AGENT, TurnEnds(0.7), told.listener())
    recognition = hearing.open()
    await utter(recognition, audio(WORKS) + PAUSE)
    assert (await recognition.finish(looked=False)).text == "Yes that works."
    await hearing.close()


async def test_the_call_says_goodbye(vendors: Vendors, told: Told) -> None:
    hearing = DeepgramFlux(f"{vendors.url}/deepgram", "k", "").attend(AGENT, TurnEnds(0.7), told.listener())
    await connected(vendors)
    await hearing.close()
    async with asyncio.timeout(30):
        while not vendors.desk.counts[f"{NAME}.CloseStream"]:
            await asyncio.sleep(0.01)
