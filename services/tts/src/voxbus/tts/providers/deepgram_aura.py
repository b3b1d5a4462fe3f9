"""Deepgram Aura: mu-law at 8 kHz over a WebSocket, as the telephone wants it.

A socket has no notion of sentences: what it says belongs to whoever flushed last, and a clear drops everything. So a
socket carries one sentence at a time. It may be flushed 20 times in 60 s (then it only warns, and a flush is never
answered); one that is used up rests while others work.

    Speak, Flush -> audio, audio, audio, Flushed           the socket is free
    Speak, Flush -> audio, Clear -> audio, Cleared         the caller interrupted: what comes until then is dropped
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from typing import Any, Final
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection

from voxbus.common.agents import Voice
from voxbus.common.errors import ProviderError
from voxbus.common.providers.failing import OUTSIDE, as_failure
from voxbus.common.providers.failures import error_in
from voxbus.common.providers.frames import frame
from voxbus.common.providers.socket import dial
from voxbus.tts.voicing import MULAW, Voicing

DEFAULT_VOICE: Final = "aura-2-thalia-en"
#: One less than the vendor allows in that time, for clocks differ.
_FLUSHES: Final = 19
_FLUSHES_S: Final = 60.0
#: An idle socket is closed after so long; the vendor would do it sooner or later.
_IDLE_S: Final = 60.0
_CLEARED_S: Final = 2.0
#: The longest text of a request; sentences are far shorter.
_MAX_TEXT: Final = 2000


class DeepgramAura:
    name = "deepgram-aura"

    def __init__(self, base_url: str, api_key: str, default_voice: str, first_audio_s: float) -> None:
        self._url = base_url.replace("http", "ws", 1).rstrip("/") + "/v1/speak"
        self._headers = {"Authorization": f"Token {api_key}"}
        self._default_voice = default_voice or DEFAULT_VOICE
        self._first_audio_s = first_audio_s
        self._voicing = Voicing(MULAW, first_audio_s)
        self._idle: dict[str, list[_Socket]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        return None

    @property
    def identity(self) -> str:
        return f"{self.name} {self._default_voice}"

    def resolve(self, voice: Voice) -> Voice | None:
        name = voice.name or self._default_voice
        return (
            voice.model_copy(update={"provider": self.name, "name": name})
            if name.startswith("aura-")
            else None
        )

    def spares(self, voice: Voice) -> list[Voice]:
        return []

    def warm(self, voice: Voice) -> None:
        if not self._idle.get(voice.name):
            self._in_background(self._warm(voice.name))

    async def speak(
        self, text: str, voice: Voice, *, background: bool = False
    ) -> AsyncGenerator[bytes, None]:
        said = self._voicing.shape(
            self._say(text[:_MAX_TEXT], voice.name), text, voice.name, background=background
        )
        async with contextlib.aclosing(said) as audio:
            async for data in audio:
                yield data

    async def _say(self, text: str, voice: str) -> AsyncGenerator[bytes, None]:
        """An idle socket may be gone without our knowing: then a new one says it, as long as nothing was said."""
        begun = False
        try:
            while (idle := self._take(voice)) is not None:
                try:
                    async for data in self._over(idle, text):
                        begun = True
                        yield data
                except OUTSIDE:
                    if begun:
                        raise
                else:
                    return
            async for data in self._over(await self._open(voice), text):
                yield data
        except OUTSIDE as error:
            raise as_failure(error) from None

    async def _over(self, socket: _Socket, text: str) -> AsyncGenerator[bytes, None]:
        try:
            await socket.begin(text)
            async for data in socket.audio():
                yield data
        except GeneratorExit:
            self._in_background(self._clear(socket))
            raise
        except (*OUTSIDE, ProviderError):
            self._in_background(socket.close())
            raise
        self._release(socket)

    async def _open(self, voice: str) -> _Socket:
        query = urlencode({"model": voice, "encoding": "mulaw", "sample_rate": 8000})
        connection = await dial(f"{self._url}?{query}", self._headers, within_s=self._first_audio_s)
        return _Socket(connection, voice)

    def _take(self, voice: str) -> _Socket | None:
        now_s = time.monotonic()
        idle = self._idle.get(voice, [])
        for socket in tuple(reversed(idle)):  # the last one used: the others may go
            if not socket.is_open:
                idle.remove(socket)
            elif socket.may_flush(now_s):
                idle.remove(socket)
                return socket
        return None

    def _release(self, socket: _Socket) -> None:
        if socket.is_open:
            self._idle.setdefault(socket.voice, []).append(socket)
            asyncio.get_running_loop().call_later(_IDLE_S, self._retire, socket, socket.used_s)

    def _retire(self, socket: _Socket, used_s: float) -> None:
        idle = self._idle.get(socket.voice, [])
        if socket in idle and socket.used_s == used_s:
            idle.remove(socket)
            self._in_background(socket.close())

    async def _warm(self, voice: str) -> None:
        with contextlib.suppress(ProviderError):
            self._release(await self._open(voice))

    async def _clear(self, socket: _Socket) -> None:
        """It is free again once it has said that it dropped everything."""
        try:
            async with asyncio.timeout(_CLEARED_S):
                await socket.clear()
        except (*OUTSIDE, ProviderError):
            await socket.close()
        else:
            self._release(socket)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="aura socket")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def not_ready(self) -> str:
        return ""

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        sockets = [socket for idle in self._idle.values() for socket in idle]
        self._idle.clear()
        await asyncio.gather(*(socket.close() for socket in sockets), return_exceptions=True)


class _Socket:
    def __init__(self, connection: ClientConnection, voice: str) -> None:
        self._connection = connection
        self._flushed: deque[float] = deque(maxlen=_FLUSHES)
        self.voice = voice
        self.used_s = time.monotonic()

    @property
    def is_open(self) -> bool:
        return self._connection.close_code is None and self._connection.state.name == "OPEN"

    def may_flush(self, now_s: float) -> bool:
        return len(self._flushed) < _FLUSHES or now_s - self._flushed[0] > _FLUSHES_S

    async def begin(self, text: str) -> None:
        self.used_s = time.monotonic()
        self._flushed.append(self.used_s)
        await self._connection.send(json.dumps({"type": "Speak", "text": text}))
        await self._connection.send('{"type":"Flush"}')

    async def audio(self) -> AsyncIterator[bytes]:
        """Until everything was said. Raises ProviderError, and what the connection raises."""
        while True:
            message = await self._connection.recv()
            if isinstance(message, bytes):
                yield message
                continue
            told = frame(message)
            match told.get("type"):
                case "Flushed":
                    return
                case "Error":
                    raise error_in(told)
                case "Warning" if "FLUSH" in str(told.get("code", "")).upper():
                    raise ProviderError("rate_limited", "flushed too often")
                case _:
                    pass  # Metadata, other warnings, and what may come to be

    async def clear(self) -> None:
        """Returns when nothing of what was said before comes any more."""
        await self._connection.send('{"type":"Clear"}')
        while True:
            message = await self._connection.recv()
            if isinstance(message, str) and frame(message).get("type") == "Cleared":
                return

    async def close(self) -> None:
        with contextlib.suppress(*OUTSIDE):
            await self._connection.send('{"type":"Close"}')
        await self._connection.close()
