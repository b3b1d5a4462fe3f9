"""A real Chromium, driven over its DevTools protocol. Used only by the tests of the page."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    "--remote-debugging-port=0",
)


class Tab:
    """One page. ``complaints``: errors that its console showed, exceptions and what its policy refused."""

    def __init__(self, socket: ClientConnection, session: str) -> None:
        self._socket = socket
        self._session = session
        self._ids = itertools.count(100)
        self.complaints: list[str] = []

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params, "sessionId": self._session}
        await self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(await asyncio.wait_for(self._socket.recv(), 20))
            if answer.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.complaints.append(json.dumps(answer["params"]))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    async def eval(self, expression: str) -> Any:
        """The value of JavaScript; a promise is awaited."""
        result = await self.ask(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def until(self, expression: str) -> None:
        """Until it is true: the page tells by itself, nothing is guessed."""
        for _ in range(200):
            if await self.eval(expression):
                return
            await self.eval("new Promise(requestAnimationFrame)")
        raise AssertionError(f"never true: {expression}")

    async def click(self, selector: str, share: float = 0.5) -> None:
        """In the middle of the element, ``share`` of its width from its left."""
        box = await self.eval(
            f"(e => [e.x, e.y, e.width, e.height])(document.querySelector({selector!r}).getBoundingClientRect())"
        )
        at = {"x": box[0] + share * box[2], "y": box[1] + box[3] / 2, "button": "left", "clickCount": 1}
        for kind in ("mousePressed", "mouseReleased"):
            await self.ask("Input.dispatchMouseEvent", type=kind, **at)

    async def resize(self, width: int, height: int) -> None:
        await self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    async def press(self, key: str, text: str = "") -> None:
        await self.ask("Input.dispatchKeyEvent", type="keyDown", key=key, **({"text": text} if text else {}))
        await self.ask("Input.dispatchKeyEvent", type="keyUp", key=key)


@asynccontextmanager
async def open_page(path: Path, *, width: int = 1280, height: int = 900) -> AsyncIterator[Tab]:
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", "about:blank",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with connect(await _address(process), max_size=None) as socket:
                yield await _tab(socket, path, width, height)
        finally:
            process.kill()
            await process.wait()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    async with asyncio.timeout(30):
        async for line in process.stderr:
            if line.startswith(b"DevTools listening on "):
                return line.split()[-1].decode()
    raise AssertionError("Chromium did not start")


async def _tab(socket: ClientConnection, path: Path, width: int, height: int) -> Tab:
    async def ask(number: int, method: str, params: dict[str, Any]) -> dict[str, Any]:
        await socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            answer = json.loads(await asyncio.wait_for(socket.recv(), 20))
            if answer.get("id") == number:
                result: dict[str, Any] = answer["result"]
                return result

    target = (await ask(1, "Target.createTarget", {"url": "about:blank"}))["targetId"]
    session = (await ask(2, "Target.attachToTarget", {"targetId": target, "flatten": True}))["sessionId"]
    tab = Tab(socket, session)
    for domain in ("Runtime", "Log", "Page"):
        await tab.ask(f"{domain}.enable")
    await tab.resize(width, height)
    await tab.ask("Page.navigate", url=path.as_uri())
    await tab.until("location.protocol === 'file:' && document.readyState === 'complete'")
    return tab
