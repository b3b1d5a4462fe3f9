"""The page: what is in it, what cannot get into it, and how it behaves in a real browser."""

from __future__ import annotations

import base64
import io
import json
import re
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from voxbus.common.events import Utterance
from voxbus.devkit.demo.checks import check
from voxbus.devkit.demo.page import embeddable, render

from .browser import CHROMIUM, open_page
from .sample_call import SampleCall

EVIL = "</script><script>document.title='taken'</script><!-- <img src=x onerror=alert(1)>"

in_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


def page_of(call: SampleCall) -> str:
    summary = call.summary()
    return render(
        summary.with_checks(check(summary, call.facts, ["mid_reply"])), call.recording, wav_of(call)
    )


def wav_of(call: SampleCall) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(call.recording.hz)
        file.writeframes(
            np.column_stack((call.recording.caller, call.recording.agent)).astype("<i2").tobytes()
        )
    return buffer.getvalue()


def saying(call: SampleCall, text: str) -> SampleCall:
    log = [
        replace(s, event=replace(s.event, text=text))
        if isinstance(s.event, Utterance) and s.event.text == "goodbye"
        else s
        for s in call.log
    ]
    return replace(call, log=log)


@pytest.fixture(scope="module")
def page(sample: SampleCall, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(page_of(sample), encoding="utf-8")
    return path


def test_the_page_is_whole_and_asks_for_nothing(page: Path, sample: SampleCall) -> None:
    html = page.read_text(encoding="utf-8")
    assert "{{" not in re.sub(r"<script>.*</script>", "", html, flags=re.S)
    assert not re.search(r"""(src|href)\s*=|url\(|@import|https?://""", html)
    embedded = re.search(r'<script type="text/plain" id="wav">(.*?)</script>', html, re.S)
    assert embedded is not None
    assert base64.b64decode(embedded[1]) == wav_of(sample)


def test_what_was_said_cannot_leave_its_element(sample: SampleCall) -> None:
    html = page_of(saying(sample, EVIL))
    assert html.count("</script>") == page_of(sample).count("</script>")
    embedded = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)
    assert embedded is not None
    turns = json.loads(embedded[1])["summary"]["turns"]
    assert turns[-1]["caller"]["text"] == EVIL


def test_embeddable_json_means_the_same() -> None:
    value = {"text": EVIL + "\u2028 {{script}} \\u003c"}
    assert json.loads(embeddable(json.dumps(value))) == value
    assert "<" not in embeddable(json.dumps(value))


def test_the_script_never_writes_markup(page: Path) -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", page.read_text())


@in_browser
async def test_it_plays_and_seeks(page: Path) -> None:
    async with open_page(page) as tab:
        await tab.until("audio.readyState >= 1")
        assert await tab.eval("audio.duration") == pytest.approx(34.6, abs=0.01)
        await tab.click("#lanes", 0.5)
        await tab.until("Math.abs(audio.currentTime - 17.3) < 0.1 && !audio.seeking")
        assert await tab.eval("document.querySelector('#now').textContent") == "0:17.3"
        assert (
            await tab.eval("document.querySelector('#lanes').getAttribute('aria-valuetext')")
            == "0:17.3 of 0:34.6"
        )

        await tab.click("#play")
        await tab.until("audio.currentTime > 17.5")
        assert (
            await tab.eval("document.querySelector('#play').getAttribute('aria-label')")
            == "Pause the recording"
        )
        await tab.click("#play")
        await tab.until("audio.paused")
        assert tab.complaints == []


@in_browser
async def test_keys_move_it_and_the_transcript_follows(page: Path) -> None:
    async with open_page(page) as tab:
        await tab.until("audio.readyState >= 1")
        await tab.eval("document.querySelector('#lanes').focus()")
        await tab.press("ArrowRight")
        await tab.press("ArrowUp")
        await tab.until("Math.abs(nowMs() - 6000) < 50")
        await tab.press("Home")
        await tab.until("nowMs() === 0")
        await tab.eval("document.querySelectorAll('.time')[1].click()")  # "can you repeat that"
        await tab.until("document.querySelector('.caller .playing')?.textContent === 'can you repeat that'")
        await tab.press(" ", " ")
        await tab.until("audio.paused")
        assert tab.complaints == []


@in_browser
async def test_it_shows_what_happened(page: Path) -> None:
    async with open_page(page) as tab:
        assert await tab.eval("[...document.querySelectorAll('.mark')].map(m => m.textContent)") == [
            "mm-hm", "interrupts", "key 1#", "llm killed",
        ]  # fmt: skip
        struck = await tab.eval(
            "[...document.querySelectorAll('#script del')].map(d => d.lastChild.textContent)"
        )
        assert struck == ["Thursday at two, or Friday at half past four.", "Which of these would you like?"]
        assert await tab.eval("document.querySelectorAll('#turns > li').length") == 6
        assert await tab.eval("document.querySelectorAll('#checks > .failed').length") == 0
        assert tab.complaints == []


@in_browser
async def test_it_fits_every_screen(page: Path) -> None:
    async with open_page(page) as tab:
        for width in (320, 390, 768, 1280, 1920):
            await tab.resize(width, 900)
            await tab.until(f"innerWidth === {width} && $('wave').width === $('lanes').clientWidth")
            assert await tab.eval("document.documentElement.scrollWidth") <= width
            boxes = await tab.eval(
                "marks.map(m => m.button.getBoundingClientRect()).map(b => [b.left, b.right, b.top])"
            )
            for index, (left, right, top) in enumerate(boxes):
                assert 0 <= left < right <= width
                others = boxes[index + 1 :]
                assert not any(top == t and left < r and le < right for le, r, t in others), "marks overlap"


@in_browser
async def test_evil_words_are_only_words(sample: SampleCall, tmp_path: Path) -> None:
    path = tmp_path / "index.html"
    path.write_text(page_of(saying(sample, EVIL)), encoding="utf-8")
    async with open_page(path) as tab:
        assert await tab.eval("document.title") == "voxbus: appointment reminder, 0:34.6"
        assert await tab.eval("document.images.length") == 0
        assert EVIL in await tab.eval("document.querySelector('#script').textContent")
        assert tab.complaints == []
