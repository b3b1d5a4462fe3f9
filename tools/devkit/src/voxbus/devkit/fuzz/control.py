"""A call that goes on while the gateway is attacked: everything it says must arrive, everything it is told be heard."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from voxbus.common import events as ev
from voxbus.common import subjects
from voxbus.common.agents import Voice
from voxbus.common.bus import Bus, BusConfig
from voxbus.common.codec import AudioOut, pack, unpack_audio_in
from voxbus.devkit.carrier.signing import HEADER, sign
from voxbus.devkit.fuzz.samples import media, start

_FRAME_S: Final = 0.02
_SENTENCE_S: Final = 1.0
_AUDIO: Final = bytes(range(200, 240)) * 80  # 0.4 s
_START_S: Final = 30.0
_LAST_S: Final = 15.0


@dataclass
class Witness:
    """What was seen. ``lost``: why the call ended, if it did. ``delays_ms``: frame sent to frame on the bus."""

    sent: int = 0
    arrived: int = 0
    said: int = 0
    heard: int = 0
    lost: str = ""
    delays_ms: list[float] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        return not self.lost and self.arrived == self.sent > 0 and self.heard == self.said > 0

    @property
    def text(self) -> str:
        delays = sorted(self.delays_ms) or [0.0]
        line = (
            f"a call beside it: {self.arrived} of {self.sent} frames arrived, {self.heard} of {self.said} sentences "
            f"were heard whole; a frame took {delays[len(delays) // 2]:.1f} ms, "
            f"p99 {delays[len(delays) * 99 // 100]:.0f} ms, at most {delays[-1]:.0f} ms"
        )
        return f"{line}; LOST: {self.lost}" if self.lost else line


class Control:
    """Runs on a loop and a thread of its own, so that whoever attacks may block. ``bus_of``: the way in of a login."""

    def __init__(self, url: str, auth_token: str, bus_of: Callable[[str], BusConfig]) -> None:
        self.sid = "CA" + secrets.token_hex(16)
        self._stream_sid = "MZ" + secrets.token_hex(16)
        self._url = url.replace("http", "ws", 1) + "/media-stream"
        self._auth_token = auth_token
        self._bus_of = bus_of
        self._witness = Witness()
        self._began = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control call", daemon=True)

    def __enter__(self) -> Control:
        self._thread.start()
        if not self._began.wait(_START_S):
            raise RuntimeError(f"the call beside it never began: {self._witness.lost}")
        return self

    def __exit__(self, *_: object) -> None:
        self.witness()

    def witness(self) -> Witness:
        """Ends the call, in order."""
        self._stop.set()
        self._thread.join(_START_S)
        return self._witness

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except Exception as error:  # noqa: BLE001 - a thread's error is told by whoever asks for what it saw
            self._witness.lost = self._witness.lost or repr(error)

    async def _live(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            buses: dict[str, Bus] = {}
            for login in ("stt", "llm", "tts"):
                buses[login] = await Bus.connect(self._bus_of(login))
                stack.push_async_callback(buses[login].close)
            signed = {HEADER: sign(self._auth_token, self._url)}
            socket = await stack.enter_async_context(
                connect(self._url, additional_headers=signed, compression=None, proxy=None)
            )
            await self._begin(buses["stt"], socket)
            await self._talk(buses, socket)

    async def _begin(self, stt: Bus, socket: ClientConnection) -> None:
        began = asyncio.Event()
        log = await stt.open_log(self.sid, lambda _: began.set())
        await socket.send(json.dumps(start(self.sid, self._stream_sid)))
        async with asyncio.timeout(_START_S):
            await began.wait()
        await log.close()
        await stt.append(ev.Attached(call=self.sid, worker="control", nonce=secrets.token_hex(4)))

    async def _talk(self, buses: dict[str, Bus], socket: ClientConnection) -> None:
        witness, on_the_way = self._witness, deque[float]()

        def arrived(data: bytes) -> None:
            unpack_audio_in(data)
            witness.arrived += 1
            witness.delays_ms.append((time.perf_counter() - on_the_way.popleft()) * 1000)

        await buses["stt"].audio.subscribe(subjects.audio_in(self.sid), arrived)
        answering = asyncio.create_task(self._answer(socket))
        speaking = asyncio.create_task(self._speak(buses))
        self._began.set()
        next_s = asyncio.get_running_loop().time()
        while not self._stop.is_set() and not answering.done():
            on_the_way.append(time.perf_counter())
            await socket.send(json.dumps(media(self._stream_sid, witness.sent * 20)))
            witness.sent += 1
            next_s += _FRAME_S
            await asyncio.sleep(max(0.0, next_s - asyncio.get_running_loop().time()))
        speaking.cancel()
        await asyncio.wait((speaking,))
        await self._settle(buses["stt"], answering)

    async def _answer(self, socket: ClientConnection) -> None:
        """Marks come back when what is before them was played, as far as anybody can tell."""
        try:
            async for text in socket:
                message: dict[str, Any] = json.loads(text)
                if message["event"] == "mark":
                    await socket.send(json.dumps(message))
        except ConnectionClosed as error:
            self._witness.lost = f"the socket was closed ({error.rcvd.code if error.rcvd else 1006})"

    async def _speak(self, buses: dict[str, Bus]) -> None:
        while True:
            index = self._witness.said
            sentence = ev.Sentence(call=self.sid, turn=1, index=index, text="One two.", voice=Voice())
            await buses["llm"].append(sentence)
            piece = AudioOut(1, 0, index, 1, 0, True, 1.0, _AUDIO)
            buses["tts"].audio.publish(subjects.audio_out(self.sid), pack(piece))
            self._witness.said += 1
            await asyncio.sleep(_SENTENCE_S)

    async def _settle(self, bus: Bus, answering: asyncio.Task[None]) -> None:
        """What was said last has still to be heard."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_S):
                while not self._witness.sound and not answering.done():
                    await self._look(bus)
                    await asyncio.sleep(0.05)
        await self._look(bus)
        answering.cancel()

    async def _look(self, bus: Bus) -> None:
        log = [stored.event for stored in await bus.read_log(self.sid)]
        self._witness.heard = sum(isinstance(event, ev.Heard) and event.complete for event in log)
        ends = [event for event in log if isinstance(event, ev.Ended | ev.Disconnected)]
        if ends and not self._witness.lost:
            self._witness.lost = f"{ends[0].kind} is in its log"
