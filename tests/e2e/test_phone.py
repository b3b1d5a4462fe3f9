"""The browser phone in a real browser, against all of voxbus: a WAV is its microphone, the agent is heard and answered.

A screenshot of each state is left in var/phone.
"""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import pytest_asyncio

from voxbus.common import events as ev
from voxbus.common.audio import HZ
from voxbus.common.bus import Bus
from voxbus.common.events import Stored
from voxbus.devkit.speech import speak
from voxbus.devkit.stack import Stack

from ..gateway.chromium import chromium, complaints_of

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

ROOT = Path(__file__).parent.parent.parent
SHOTS = ROOT / "var" / "phone"

#: How long anything may take on a machine that does other things besides.
PATIENCE_MS = 60_000

#: The greeting lasts ten seconds, the answer to the question twice that, and the question comes every ten: whenever the
#: agent begins to speak, it is interrupted.
ASKS = (5.0, "what should i bring", 5.0)
SAYS_GOODBYE = (14.0, "goodbye", 60.0)
IS_SILENT = (300.0,)


@dataclass
class Local:
    """A stack on this machine, as ``voxbus up`` starts it: no PUBLIC_URL, no secrets of a carrier."""

    stack: Stack
    bus: Bus
    directory: Path

    @property
    def url(self) -> str:
        return self.stack.gateway_url.replace("127.0.0.1", "localhost")

    async def log(self, sid: str) -> list[Stored]:
        return await self.bus.read_log(sid)

    @asynccontextmanager
    async def page(self, *mic: float | str, **options: Any) -> AsyncIterator[Page]:
        """The page in a browser whose microphone plays ``mic`` again and again: seconds of silence, and words."""
        path = self.directory / f"{abs(hash(mic))}.wav"
        await asyncio.to_thread(write, path, mic)
        flags = (
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-audio-capture={path}",
        )
        async with chromium(*flags) as browser:
            page = await browser.new_page(**options)
            page.set_default_timeout(PATIENCE_MS)
            complaints = complaints_of(page)
            await page.goto(f"{self.url}/phone")
            await page.get_by_role("button", name="Call").wait_for()
            yield page
            assert [line for line in complaints if "net::ERR" not in line and "WebSocket" not in line] == []


def write(path: Path, mic: tuple[float | str, ...]) -> None:
    parts = [np.zeros(int(p * HZ), np.int16) if isinstance(p, float) else speak(p).audio for p in mic]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(HZ)
        file.writeframes(np.concatenate(parts).astype("<i2").tobytes())


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def local(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Local]:
    async with chromium():  # or all of this is skipped, before anything is started
        pass
    SHOTS.mkdir(parents=True, exist_ok=True)
    directory = tmp_path_factory.mktemp("phone")
    env = {
        "PUBLIC_URL": "",
        "PHONE_TOKEN": "",
        "PHONE": "",
        "TWILIO_AUTH_TOKEN": "",
        "AGENTS_DIR": str(ROOT / "agents"),
    }
    async with Stack(counts={"scheduler": 0, "reporter": 0}, env=env, directory=directory) as stack:
        bus = await Bus.connect(stack.bus_config("e2e"))
        yield Local(stack, bus, directory)
        await bus.close()


async def shot(page: Page, name: str) -> None:
    await page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


async def call(page: Page) -> str:
    """Presses the button; the CallSid of what comes of it."""
    async with page.expect_response("**/phone/calls") as placed:
        await page.get_by_role("button", name="Call").click()
    answer = await (await placed.value).json()
    await page.locator("body[data-state=talking]").wait_for()
    sid: str = answer["call_sid"]
    return sid


async def until(page: Page, expression: str) -> None:
    """Until it is true. (Playwright's own way evaluates text in the page, which the page's policy refuses.)"""
    async with asyncio.timeout(PATIENCE_MS / 1000):
        while not await page.evaluate(expression):
            await asyncio.sleep(0.02)


async def agent_is_heard(page: Page) -> None:
    """By the level of what goes to the loudspeaker."""
    await until(page, "Number(document.querySelector('#agent-meter').dataset.dbfs) > -35")


async def hang_up(page: Page) -> None:
    await page.get_by_role("button", name="Hang up").click()
    await page.get_by_role("status").filter(has_text="You hung up.").wait_for()


async def test_a_call_is_held_interrupted_and_hung_up(local: Local) -> None:
    async with local.page(*ASKS, viewport={"width": 1280, "height": 900}) as page:
        assert (
            await page.locator("input[name=agent]:checked").get_attribute("value") == "appointment_reminder"
        )
        assert await page.locator("#says li").count() > 5
        await shot(page, "1-before")
        await watch_levels(page)
        sid = await call(page)
        await agent_is_heard(page)
        await shot(page, "2-talking")

        # What was not heard is struck out, and the agent was silent while it was asked.
        await page.locator(".agent del").first.wait_for()
        assert await page.evaluate("silent_under_speech()")
        await page.locator("li.caller:not(.guess)").filter(has_text="bring").first.wait_for()
        await page.locator("#turns li").nth(1).wait_for()
        assert await page.locator("#turns li").nth(1).locator(".waterfall i").count() >= 3
        await shot(page, "3-interrupted")

        await page.get_by_role("button", name="Keys", exact=True).click()
        await page.get_by_role("button", name="4", exact=True).click()
        await page.locator("li.event").filter(has_text="You pressed 4").wait_for()
        await shot(page, "4-keys")

        await until(page, "document.querySelector('#caller-meter').dataset.speaking === 'true'")
        await page.keyboard.press("m")
        assert await page.get_by_role("button", name="Muted").get_attribute("aria-pressed") == "true"
        await until(page, "Number(document.querySelector('#caller-meter').dataset.dbfs) < -90")
        await shot(page, "5-muted")

        await hang_up(page)
        await shot(page, "6-hung-up")

    log = await local.log(sid)
    kinds = [stored.event for stored in log]
    assert any(isinstance(event, ev.Interrupted) for event in kinds)
    assert any(isinstance(event, ev.Heard) and event.known_by == "mark" and event.complete for event in kinds)
    assert [event.digit for event in kinds if isinstance(event, ev.Dtmf)] == ["4"]
    assert [event.reason for event in kinds if isinstance(event, ev.Ended)] == ["caller_hung_up"]


async def watch_levels(page: Page) -> None:
    """``silent_under_speech()``: the agent was loud, and then silent while the caller spoke."""
    await page.evaluate(
        """() => {
            let loud = false, cut = false;
            window.silent_under_speech = () => cut;
            setInterval(() => {
                const dbfs = (who) => Number(document.getElementById(`${who}-meter`).dataset.dbfs);
                if (dbfs("agent") > -35) loud = true;
                if (loud && dbfs("caller") > -42 && dbfs("agent") < -60) cut = true;
            }, 10);
        }"""
    )


async def test_the_agent_hangs_up(local: Local) -> None:
    async with local.page(*SAYS_GOODBYE, **phone_of_today()) as page:
        await shot(page, "small-1-before")
        sid = await call(page)
        await agent_is_heard(page)
        await shot(page, "small-2-talking")
        await page.get_by_role("status").filter(has_text="The agent hung up.").wait_for()
        await shot(page, "small-3-over")
        assert await page.evaluate("document.activeElement.id") == "call"
    assert [s.event.reason for s in await local.log(sid) if isinstance(s.event, ev.Ended)] == [
        "agent_hung_up"
    ]


def phone_of_today() -> dict[str, Any]:
    return {"viewport": {"width": 390, "height": 780}, "color_scheme": "dark", "reduced_motion": "reduce"}


async def test_a_lost_connection_comes_back(local: Local) -> None:
    async with local.page(*IS_SILENT) as page:
        sid = await call(page)
        await agent_is_heard(page)
        local.stack.kill("gateway-0")
        alarm = page.get_by_role("alert")
        await alarm.filter(has_text="The connection is lost").wait_for()
        await shot(page, "7-lost")
        await local.stack.restart("gateway-0")
        await page.locator("body[data-state=talking]").wait_for()
        await alarm.wait_for(state="hidden")
        await agent_is_heard(page)
        await shot(page, "8-back")
        await hang_up(page)
    kinds = [stored.event.kind for stored in await local.log(sid)]
    assert kinds.count("started") == kinds.count("resumed") == kinds.count("ended") == 1


async def test_when_nobody_can_take_the_call_it_says_so(local: Local) -> None:
    async with local.page(*IS_SILENT) as page:
        local.stack.kill("stt-0")
        try:
            await page.get_by_role("button", name="Call").click()
            await page.get_by_role("alert").filter(has_text="All lines are busy").wait_for()
            await shot(page, "9-no-capacity")
        finally:
            await local.stack.restart("stt-0")


async def test_without_a_microphone_it_says_what_to_do(local: Local) -> None:
    async with chromium() as browser:
        page = await browser.new_page()
        await page.goto(f"{local.url}/phone")
        await page.get_by_role("button", name="Call").click()
        await page.get_by_role("alert").filter(has_text="microphone").wait_for()
        await shot(page, "10-no-microphone")
        assert await page.get_by_role("button", name="Call").is_visible()
