"""eSpeak NG in its processes: what the caller hears, and what happens when a process does not do what it should."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing

import numpy as np
import pytest

from voxbus.common.agents import Voice
from voxbus.common.audio import HZ, active_level_dbfs, ms_of, mulaw_decode, peak_dbfs
from voxbus.common.errors import ProviderError, SettingsError
from voxbus.tts.providers.espeak.process import Process
from voxbus.tts.providers.espeak.provider import EspeakProvider
from voxbus.tts.providers.espeak.wire import WIRE, Speak

VOICES = ["en-us", "en-gb", "en-us+f3", "en-us+m7", "en-gb-x-rp+Annie", "de", "es", "en-us+whisper"]
SENTENCES = [
    "Yes.",
    "Goodbye.",
    "Thank you.",
    "One moment.",
    "Are you still there?",
    "She sells six silky seashells.",
    "I'm sorry, I lost my train of thought. Could you say that again?",
    "Your appointment with Doctor Green is on Tuesday the fourth at half past three.",
    "five five five, one two three four",
]
#: Takes long enough to synthesize that something can be done in the middle of it.
LONG = "and on and on it goes, word after word after word, " * 4000


@pytest.fixture
async def espeak() -> AsyncIterator[EspeakProvider]:
    provider = EspeakProvider("en-us", 1)
    await provider.start()
    yield provider
    await provider.close()


def resolved(provider: EspeakProvider, name: str = "", rate: int = 165) -> Voice:
    voice = provider.resolve(Voice(name=name, rate=rate))
    assert voice is not None
    return voice


async def say(provider: EspeakProvider, text: str, voice: Voice | None = None) -> bytes:
    return b"".join([audio async for audio in provider.speak(text, voice or resolved(provider))])


def only(provider: EspeakProvider) -> Process:
    (process,) = provider.pool.processes
    return process


@pytest.mark.lasting
@pytest.mark.parametrize("name", VOICES)
async def test_every_voice_is_equally_loud_and_no_peak_is_too_high(espeak: EspeakProvider, name: str) -> None:
    voice = resolved(espeak, name)
    for text in SENTENCES:
        heard = mulaw_decode(await say(espeak, text, voice))
        assert active_level_dbfs(heard, HZ) == pytest.approx(-20, abs=2), text
        assert peak_dbfs(heard) <= -3, text


@pytest.mark.lasting
@pytest.mark.parametrize("text", SENTENCES)
async def test_a_sentence_begins_at_once_and_ends_with_a_pause(espeak: EspeakProvider, text: str) -> None:
    heard = np.abs(mulaw_decode(await say(espeak, text)).astype(int))
    sound = np.flatnonzero(heard > 104)
    assert ms_of(int(sound[0])) <= 20
    assert 120 <= ms_of(len(heard) - int(sound[-1])) <= 200


async def test_audio_leaves_while_the_sentence_is_still_being_said(espeak: EspeakProvider) -> None:
    async with aclosing(espeak.speak(LONG, resolved(espeak))) as spoken:
        assert ms_of(len(await anext(spoken))) < 5_000
        assert only(espeak).busy


async def test_speed_and_pitch_do_not_leak_into_the_next_sentence(espeak: EspeakProvider) -> None:
    before = await say(espeak, SENTENCES[-2])
    fast = await say(espeak, SENTENCES[-2], resolved(espeak, rate=300))
    after = await say(espeak, SENTENCES[-2])
    assert len(fast) < 0.75 * len(before)
    # eSpeak varies its timing by a few ms each time.
    assert ms_of(len(after)) == pytest.approx(ms_of(len(before)), abs=30)


@pytest.mark.lasting
@pytest.mark.parametrize("text", ["", " ", "...", "\0\n"])
async def test_nothing_to_say_is_no_audio(espeak: EspeakProvider, text: str) -> None:
    assert await say(espeak, text) == b""


@pytest.mark.parametrize(
    "text", ["a\0b", "<speak>hi</speak>", "[[h@l'oU]]", "\ud800 lone", "100 % \N{GRINNING FACE}"]
)
async def test_odd_texts_are_said(espeak: EspeakProvider, text: str) -> None:
    assert await say(espeak, text)


async def test_a_text_that_the_voice_cannot_say_is_an_error(espeak: EspeakProvider) -> None:
    with pytest.raises(ProviderError) as failed:
        await say(espeak, "\N{ARABIC-INDIC DIGIT THREE}")
    assert failed.value.cause == "no_audio"


async def test_a_voice_that_does_not_exist_fails_in_its_sentence_only(espeak: EspeakProvider) -> None:
    with pytest.raises(ProviderError) as failed:
        await say(espeak, "Hello.", Voice(provider="espeak", name="no such voice"))
    assert failed.value.cause == "voice_failed"
    assert await say(espeak, "Hello.")


async def test_a_cancelled_sentence_frees_its_process_at_once(espeak: EspeakProvider) -> None:
    process = only(espeak)
    async with aclosing(espeak.speak(LONG, resolved(espeak))) as spoken:
        await anext(spoken)
    async with asyncio.timeout(10):  # the rest of LONG takes longer
        assert await say(espeak, "Hello.")
    assert only(espeak) is process


async def test_a_process_that_dies_in_a_sentence_is_replaced(espeak: EspeakProvider) -> None:
    process = only(espeak)
    async with aclosing(espeak.speak(LONG, resolved(espeak))) as spoken:
        await anext(spoken)
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(ProviderError) as failed:
            await drop(spoken)
    assert failed.value.cause == "crashed"
    assert await say(espeak, "Hello.")
    assert only(espeak) is not process


async def drop(spoken: AsyncIterator[bytes]) -> None:
    async for _ in spoken:
        pass


async def test_a_process_that_died_between_sentences_costs_no_sentence(espeak: EspeakProvider) -> None:
    process = only(espeak)
    os.kill(process.pid, signal.SIGKILL)
    async with asyncio.timeout(30):
        while process.alive:
            await asyncio.sleep(0.005)
    assert await say(espeak, "Hello.")


async def test_the_audio_of_another_sentence_is_nobodys(espeak: EspeakProvider) -> None:
    process = only(espeak)
    process.send(Speak(0, "Your code is one two three.", "gmw/en-US", 165, 50))
    with pytest.raises(ProviderError) as failed:
        await say(espeak, "Hello.")
    assert failed.value.cause == "crashed"
    assert await say(espeak, "Hello.")
    assert only(espeak) is not process


async def test_a_process_that_hangs_is_killed_and_replaced(
    espeak: EspeakProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxbus.tts.providers.espeak.process._SILENT_S", 0.2)
    process = only(espeak)
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(ProviderError) as failed:
        await say(espeak, "Hello.")
    assert failed.value.cause == "stalled"
    monkeypatch.undo()
    assert await say(espeak, "Hello.")
    assert only(espeak) is not process


async def test_a_live_sentence_does_not_wait_for_background_work(espeak: EspeakProvider) -> None:
    in_background = asyncio.create_task(collect(espeak, LONG, background=True))
    async with asyncio.timeout(10):
        while not only(espeak).busy:
            await asyncio.sleep(0.001)
    async with asyncio.timeout(10):
        assert await say(espeak, "Hello.")
    with pytest.raises(ProviderError) as failed:
        await in_background
    assert failed.value.cause == "preempted"


async def collect(provider: EspeakProvider, text: str, *, background: bool) -> bytes:
    spoken = provider.speak(text, resolved(provider), background=background)
    return b"".join([audio async for audio in spoken])


async def test_many_sentences_share_the_processes(espeak: EspeakProvider) -> None:
    said = await asyncio.gather(*(say(espeak, text) for text in SENTENCES * 3))
    assert all(said)
    assert len(espeak.pool.processes) == 1


async def test_sentences_that_wait_may_give_up(espeak: EspeakProvider) -> None:
    async with aclosing(espeak.speak(LONG, resolved(espeak))) as spoken:
        await anext(spoken)
        waiting = [asyncio.create_task(say(espeak, "Hello.")) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        waiting[2].cancel()
        await asyncio.wait((waiting[0], waiting[2]))
    assert await waiting[1]
    assert await say(espeak, "Hello.")


async def test_an_unknown_default_voice_stops_the_start_and_names_the_others() -> None:
    provider = EspeakProvider("french accent", 1)
    with pytest.raises(SettingsError, match=r"TTS_VOICE.*'french accent'.*en-us"):
        await provider.start()
    assert not provider.pool.processes


def test_the_process_ends_with_the_worker_that_started_it() -> None:
    command = [sys.executable, "-m", "voxbus.tts.providers.espeak.child"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stdout.read(1)  # it is up
    child.stdin.write(WIRE.pack(Speak(1, LONG, "gmw/en-US", 165, 50)))
    child.stdin.close()
    child.stdout.close()
    assert child.wait(timeout=10) == 0


def test_the_process_is_left_alone_by_signals_to_its_group() -> None:
    command = [sys.executable, "-m", "voxbus.tts.providers.espeak.child"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.read(1)
    child.send_signal(signal.SIGTERM)
    child.send_signal(signal.SIGINT)
    assert child.poll() is None
    child.communicate(timeout=10)
    assert child.returncode == 0
