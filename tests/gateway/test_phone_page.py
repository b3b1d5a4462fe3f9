"""The page in a real browser, without a call: who is let in, and whether everybody can use it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from .chromium import chromium, complaints_of
from .conftest import Start
from .twilio import Running

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOKEN = "a-token-of-the-phone"


@asynccontextmanager
async def opened(gateway: Running, **options: Any) -> AsyncIterator[Page]:
    async with chromium("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream") as browser:
        page = await browser.new_page(**options)
        page.set_default_timeout(60_000)
        complaints = complaints_of(page)
        await page.goto(f"{gateway.url}/phone")
        yield page
        assert [line for line in complaints if "Failed to load resource" not in line] == []


async def test_who_has_the_token_is_let_in(new_gateway: Start) -> None:
    async with new_gateway(phone_token=TOKEN) as gateway, opened(gateway) as page:
        field = page.get_by_label("The token of this phone")
        await field.fill("some other words that are none")
        await page.keyboard.press("Enter")
        await page.get_by_role("alert").filter(has_text="That is not the token.").wait_for()
        await field.fill(TOKEN)
        await page.get_by_role("button", name="Unlock").click()
        await page.get_by_role("button", name="Call").wait_for()
        assert await page.get_by_role("alert").is_hidden()
        assert TOKEN not in await page.evaluate("location.href")
        await page.reload()  # it is remembered for as long as the tab lives
        await page.get_by_role("button", name="Call").wait_for()
        async with page.expect_response("**/phone/calls") as placed:
            await page.get_by_role("button", name="Call").click()
        assert (await placed.value).status == 200


async def test_a_gateway_that_stops_is_a_sentence_and_no_riddle(new_gateway: Start) -> None:
    async with new_gateway() as gateway, opened(gateway) as page:
        await page.get_by_role("button", name="Call").wait_for()
        await page.route(
            "**/phone/calls", lambda route: route.fulfill(status=503, body="this gateway stops\n")
        )
        await page.get_by_role("button", name="Call").click()
        await page.get_by_role("alert").filter(has_text="No call can be taken just now").wait_for()
        await page.unroute("**/phone/calls")
        await page.route("**/phone/calls", lambda route: route.fulfill(status=429, body="slowly\n"))
        await page.get_by_role("button", name="Call").click()
        await page.get_by_role("alert").filter(has_text="Too many calls").wait_for()


async def test_the_keyboard_is_enough(gateway: Running) -> None:
    async with opened(gateway) as page:
        await page.get_by_role("button", name="Call").wait_for()
        for expected in ("agent-test_agent", "call"):
            await page.keyboard.press("Tab")
            assert await page.evaluate("document.activeElement.id") == expected
        await page.keyboard.press("Enter")
        await page.get_by_role("button", name="Hang up").wait_for()
        assert await page.evaluate("document.activeElement.id") == "line"
        await page.keyboard.press("m")
        assert await page.get_by_role("button", name="Muted").get_attribute("aria-pressed") == "true"
        for expected in ("mute", "pad-toggle"):
            await page.keyboard.press("Tab")
            assert await page.evaluate("document.activeElement.id") == expected
        await page.keyboard.press("Enter")
        assert await page.get_by_role("group", name="Key pad").get_by_role("button").count() == 12
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.get_by_role("status").filter(has_text="You hung up.").wait_for()
        assert await page.evaluate("document.activeElement.id") == "call"


async def test_everything_has_a_name(gateway: Running) -> None:
    async with opened(gateway) as page:
        await page.get_by_role("button", name="Call").wait_for()
        assert await page.evaluate("document.documentElement.lang") == "en"
        nameless = await page.evaluate(
            """() => [...document.querySelectorAll("button, input, [role=group], section")].filter((element) =>
                !(element.ariaLabel || element.getAttribute("aria-labelledby") || element.labels?.length
                  || element.textContent.trim())).map((element) => element.outerHTML)"""
        )
        assert nameless == []
        assert await page.evaluate("document.querySelectorAll('h1').length") == 1
        # A screen reader would speak over the agent, and into the microphone.
        assert await page.locator("[role=log]").get_attribute("aria-live") == "off"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_its_words_can_be_read(gateway: Running, scheme: str) -> None:
    """Contrast of 4.5 at least, WCAG 2.2 AA, for each colour of text on the grounds that it stands on."""
    async with opened(gateway, color_scheme=scheme) as page:
        ratios = await page.evaluate(
            """() => {
                const style = getComputedStyle(document.documentElement);
                const channel = (x) => (x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
                const luminance = (name) => {
                    const hex = style.getPropertyValue(name).trim();
                    const [r, g, b] = [1, 3, 5].map((at) => channel(parseInt(hex.slice(at, at + 2), 16) / 255));
                    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
                };
                const ratio = (one, other) => {
                    const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
                    return (light + 0.05) / (dark + 0.05);
                };
                const found = {};
                for (const ground of ["--ground", "--card"])
                    for (const ink of ["--ink", "--soft", "--caller", "--agent", "--alarm"])
                        found[`${ink} on ${ground}`] = ratio(ink, ground);
                for (const button of ["--good", "--alarm"]) found[`text on ${button}`] = ratio("--on-colour", button);
                return found;
            }"""
        )
        assert {pair: ratio for pair, ratio in ratios.items() if ratio < 4.5} == {}


async def test_it_fits_every_screen(gateway: Running) -> None:
    async with opened(gateway) as page:
        await page.get_by_role("button", name="Call").click()
        await page.get_by_role("button", name="Keys", exact=True).click()
        for width in (320, 390, 768, 1024, 1920):
            await page.set_viewport_size({"width": width, "height": 800})
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
            for name in ("Mute", "Keys", "Hang up"):
                box = await page.get_by_role("button", name=name, exact=True).bounding_box()
                assert box is not None
                assert 0 <= box["x"] < box["x"] + box["width"] <= width
                assert box["height"] >= 24  # WCAG 2.2, 2.5.8
