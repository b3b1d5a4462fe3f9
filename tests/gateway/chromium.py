"""A real Chromium: that of the machine, or the one that Playwright has fetched for itself."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@asynccontextmanager
async def chromium(*flags: str) -> AsyncIterator[Browser]:
    """Skips the test where there is none."""
    playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
    async with playwright.async_playwright() as driver:
        path = _found(driver.chromium.executable_path)
        if not path:
            pytest.skip("no Chromium on this machine (playwright install chromium)")
        browser = await driver.chromium.launch(executable_path=path, args=["--no-sandbox", *flags])
        try:
            yield browser
        finally:
            await browser.close()


def _found(own: str) -> str:
    return next(filter(None, map(shutil.which, _NAMES)), own if Path(own).exists() else "")


def complaints_of(page: Page) -> list[str]:
    """What the page's console says is wrong, as it comes: errors, exceptions, what its policy refuses."""
    found: list[str] = []
    page.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found
