"""The page's side of the line, in a real browser: its codec, its filters, its buffer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import pytest_asyncio

from voxbus.common.audio import mulaw_decode, mulaw_encode

from .chromium import chromium, complaints_of
from .twilio import Running

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def page(shared_gateway: Running) -> AsyncIterator[Page]:
    async with chromium("--autoplay-policy=no-user-gesture-required") as browser:
        page = await browser.new_page()
        complaints = complaints_of(page)
        await page.goto(f"{shared_gateway.url}/phone")
        yield page
        assert complaints == []


async def test_mu_law_is_that_of_the_services(page: Page) -> None:
    decoded, encoded = await page.evaluate(
        """async () => {
            const { decode, encode } = await import("/phone/mulaw.js");
            return [
                Array.from({ length: 256 }, (_, code) => decode(code) * 32768),
                Array.from({ length: 65536 }, (_, i) => encode((i - 32768) / 32768)),
            ];
        }"""
    )
    assert decoded == mulaw_decode(bytes(range(256))).tolist()
    assert bytes(encoded) == mulaw_encode(np.arange(-32768, 32768).astype(np.int16))


async def test_too_loud_is_clipped(page: Page) -> None:
    loud = await page.evaluate(
        """async () => { const { encode } = await import("/phone/mulaw.js"); return [encode(3), encode(-3)]; }"""
    )
    assert bytes(loud) == mulaw_encode(np.array([32767, -32768], np.int16))


async def resampled(page: Page, tone_hz: float, from_hz: int, to_hz: int) -> np.ndarray[Any, Any]:
    """One second of a tone at full scale."""
    samples = await page.evaluate(
        """async ([tone, from, to]) => {
            const { Resampler } = await import("/phone/resample.js");
            const resampler = new Resampler(from, to);
            const out = [];
            const angle = (2 * Math.PI * tone) / from;
            for (let i = 0; i < from; i++) resampler.push(Math.sin(angle * i), (sample) => out.push(sample));
            return out;
        }""",
        [tone_hz, from_hz, to_hz],
    )
    return np.array(samples)


def level_db(samples: np.ndarray[Any, Any]) -> float:
    """Of the middle, where the filter is full; a sine at full scale has 0."""
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    return float(20 * np.log10(np.sqrt(2 * np.mean(middle**2)) + 1e-12))


@pytest.mark.parametrize("hz", [8000, 16000, 22050, 44100, 48000, 96000])
async def test_speech_passes_and_nothing_else_comes_back_as_it(page: Page, hz: int) -> None:
    for tone_hz in (300, 1000, 3000):
        down = await resampled(page, tone_hz, hz, 8000)
        assert len(down) == 8000
        assert level_db(down) == pytest.approx(0, abs=0.1)
    for tone_hz in (4300, 5000, 7000, 7900):  # folded, they would be 3.7, 3, 1 and 0.1 kHz
        if tone_hz < hz / 2:
            assert level_db(await resampled(page, tone_hz, hz, 8000)) < -70


@pytest.mark.parametrize("hz", [8000, 44100, 48000])
async def test_the_loudspeaker_gets_the_tone_and_no_images_of_it(page: Page, hz: int) -> None:
    up = await resampled(page, 1000, 8000, hz)
    assert len(up) == hz
    assert level_db(up) == pytest.approx(0, abs=0.1)
    spectrum = np.abs(np.fft.rfft(up[hz // 4 : -hz // 4] * np.hanning(hz // 2)))
    spectrum /= spectrum.max()
    others = np.delete(spectrum, range(480, 521))  # bins of 2 Hz
    assert 20 * np.log10(others.max()) < -70


async def test_marks_come_back_when_they_were_played_and_all_of_them_on_clear(page: Page) -> None:
    told = await page.evaluate(
        """async () => {
            const context = new AudioContext();
            await context.audioWorklet.addModule("/phone/worklet.js");
            const mouth = new AudioWorkletNode(context, "mouth", { numberOfInputs: 0, outputChannelCount: [1] });
            mouth.connect(context.destination);
            await context.resume();
            const told = [];
            let wake = () => {};
            mouth.port.onmessage = ({ data }) => {
                for (const name of data.marks ?? []) told.push([name, context.currentTime]);
                wake();
            };
            const until = async (count) => { while (told.length < count) await new Promise((go) => (wake = go)); };
            const began = context.currentTime;
            const put = (message) => mouth.port.postMessage(message);
            put({ mark: "nothing queued" });
            await until(1);
            put({ audio: new Uint8Array(4000) });
            put({ mark: "after half a second" });
            put({ audio: new Uint8Array(80000) });
            put({ mark: "after ten" });
            put({ mark: "and once more" });
            await until(2);
            put({ clear: true });
            await until(4);
            put({ mark: "empty again" });
            await until(5);
            await context.close();
            return told.map(([name, at]) => [name, at - began]);
        }"""
    )
    names = [name for name, _ in told]
    assert names == ["nothing queued", "after half a second", "after ten", "and once more", "empty again"]
    at = dict(told)
    assert at["after half a second"] - at["nothing queued"] >= 0.45
    assert at["empty again"] < 10


async def test_the_microphone_becomes_frames_of_a_line(page: Page) -> None:
    """A tone in, at whatever rate this machine's sound has, and mu-law of it out."""
    frames, levels = await page.evaluate(
        """async () => {
            const context = new AudioContext();
            await context.audioWorklet.addModule("/phone/worklet.js");
            const ear = new AudioWorkletNode(context, "ear", { channelCount: 1, channelCountMode: "explicit" });
            const tone = new OscillatorNode(context, { frequency: 1000 });
            tone.connect(new GainNode(context, { gain: 0.5 })).connect(ear).connect(context.destination);
            tone.start();
            await context.resume();
            const frames = [];
            const levels = [];
            await new Promise((done) => {
                ear.port.onmessage = ({ data }) => {
                    frames.push([...data.frame]);
                    levels.push(data.level);
                    if (frames.length === 20) done();
                };
            });
            await context.close();
            return [frames, levels];
        }"""
    )
    assert {len(frame) for frame in frames} == {160}
    heard = mulaw_decode(bytes(b for frame in frames[4:] for b in frame)).astype(float)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert np.argmax(spectrum) * 8000 / len(heard) == pytest.approx(1000, abs=5)
    assert levels[-1] == pytest.approx(-9, abs=0.2)  # half of full scale, as the power of a sine
