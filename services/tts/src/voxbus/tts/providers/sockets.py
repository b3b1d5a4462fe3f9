"""A voice at a vendor, over WebSockets that are kept from sentence to sentence.

A socket carries one sentence at a time, so that an interruption never touches another call. What differs between
vendors is a ``Dialect``: how a sentence is begun and cut off, and how its audio is read.

Where a vendor also takes a sentence as a request, that is what is left when no socket is to be had: none idle that may
be used, and no new one, or one that broke before the first audio.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final

from websockets.asyncio.client import ClientConnection

from voxbus.common.agents import Voice
from voxbus.common.errors import ProviderError
from voxbus.common.providers import http
from voxbus.common.providers.failing import OUTSIDE, as_failure
from voxbus.common.providers.socket import dial
from voxbus.common.telemetry import counter
from voxbus.tts.providers.dialect import Dialect
from voxbus.tts.providers.network import NetworkVoice
from voxbus.tts.voicing import Format, Voicing

#: An idle socket is closed after so long; vendors do it sooner or later.
_IDLE_S: Final = 60.0
#: How long a sentence that was cut off may take to be over at the vendor, before its socket is closed instead.
_CUT_OFF_S: Final = 2.0
#: No sentence is as long; requests of more are refused by some.
_MAX_TEXT: Final = 2000

_BY_REQUEST = counter(
    "tts_by_request",
    "Sentences that were asked for by a request, because no socket said them.",
    "provider",
    "cause",
)


@dataclass(frozen=True)
class Rest:
    """The same as a request whose answer streams: ``path`` for a voice, ``body`` for a text."""

    base_url: str
    headers: Mapping[str, str]
    path: Callable[[str], str]
    body: Callable[[str], Mapping[str, str]]


@dataclass(frozen=True)
class Vendor:
    """``address``: URL and headers for a voice. ``voices``: what names of voices look like there. ``rest``: None = it
    takes no requests.
    """

    name: str
    format: Format
    default_voice: str
    voices: str
    address: Callable[[str], tuple[str, Mapping[str, str]]]
    dialect: Callable[[str], Dialect]
    identity: str = ""
    rest: Rest | None = None

    def resolve(self, voice: Voice) -> Voice | None:
        """A name that was meant for this vendor is taken as it is."""
        name = voice.name or self.default_voice
        meant = voice.provider == self.name or not voice.name or re.fullmatch(self.voices, name)
        return voice.model_copy(update={"provider": self.name, "name": name}) if meant else None


class SocketProvider(NetworkVoice):
    """``first_audio_s``: how long a sentence may take to begin, and pause."""

    def __init__(self, vendor: Vendor, first_audio_s: float) -> None:
        super().__init__(Voicing(vendor.format, first_audio_s), _MAX_TEXT)
        self.name = vendor.name
        self._vendor = vendor
        self._first_audio_s = first_audio_s
        self._idle: dict[str, list[_Socket]] = {}
        self._sockets: set[_Socket] = set()  # all that are open, whoever has them
        self._tasks: set[asyncio.Task[None]] = set()
        self._http = (
            http.client(vendor.rest.base_url, vendor.rest.headers, connect_s=first_audio_s)
            if vendor.rest is not None
            else None
        )

    @property
    def identity(self) -> str:
        return " ".join(filter(None, (self.name, self._vendor.identity, self._vendor.default_voice)))

    def resolve(self, voice: Voice) -> Voice | None:
        return self._vendor.resolve(voice)

    def warm(self, voice: Voice) -> None:
        if not self._idle.get(voice.name):
            self._in_background(self._warm(voice.name))

    async def _say(self, text: str, voice: str) -> AsyncGenerator[bytes, None]:
        begun = False
        try:
            async with contextlib.aclosing(self._by_socket(text, voice)) as audio:
                async for data in audio:
                    begun = True
                    yield data
        except ProviderError as failure:
            # Who has no key, or nothing left to spend, has it neither way.
            if begun or not failure.retry or self._http is None or self._vendor.rest is None:
                raise
            _BY_REQUEST.labels(self.name, failure.cause).inc()
        else:
            return
        rest = self._vendor.rest
        async with http.posted(self._http, rest.path(voice), json=rest.body(text)) as response:
            async for data in response.aiter_bytes():
                yield data

    async def _by_socket(self, text: str, voice: str) -> AsyncGenerator[bytes, None]:
        """An idle socket may be gone without our knowing: then a new one says it, as long as nothing was said."""
        begun = False
        try:
            while (idle := self._take(voice)) is not None:
                try:
                    async with contextlib.aclosing(self._over(idle, text)) as audio:
                        async for data in audio:
                            begun = True
                            yield data
                except OUTSIDE:
                    if begun:
                        raise
                else:
                    return
            async with contextlib.aclosing(self._over(await self._open(voice), text)) as audio:
                async for data in audio:
                    yield data
        except OUTSIDE as error:
            raise as_failure(error) from None

    async def _over(self, socket: _Socket, text: str) -> AsyncGenerator[bytes, None]:
        begun = False
        try:
            await socket.begin(text)
            begun = True
            async for data in socket.audio():
                yield data
        except (GeneratorExit, asyncio.CancelledError):
            # Who listens is gone, or waited in vain. A vendor that says nothing may keep the next one waiting, too.
            free = begun and socket.silent_s < self._first_audio_s / 2
            self._in_background(self._cut_off(socket) if free else self._close(socket))
            raise
        except BaseException:
            self._in_background(self._close(socket))
            raise
        self._release(socket)

    async def _open(self, voice: str) -> _Socket:
        url, headers = self._vendor.address(voice)
        connection = await dial(url, headers, within_s=self._first_audio_s)
        socket = _Socket(connection, voice, self._vendor.dialect(voice))
        self._sockets = {other for other in self._sockets if other.is_open} | {socket}
        return socket

    def _take(self, voice: str) -> _Socket | None:
        now_s = time.monotonic()
        idle = self._idle.get(voice, [])
        for socket in tuple(reversed(idle)):  # the last one used: the others may go
            if not socket.is_open:
                idle.remove(socket)
            elif socket.dialect.may_begin(now_s):
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
            self._in_background(self._close(socket))

    async def _warm(self, voice: str) -> None:
        with contextlib.suppress(ProviderError):
            self._release(await self._open(voice))

    async def _cut_off(self, socket: _Socket) -> None:
        try:
            async with asyncio.timeout(_CUT_OFF_S):
                free = await socket.cut_off()
        except (*OUTSIDE, ProviderError):
            free = False
        if free:
            self._release(socket)
        else:
            await self._close(socket)

    async def _close(self, socket: _Socket) -> None:
        await socket.close()
        self._sockets.discard(socket)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"{self.name} socket")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._idle.clear()
        await asyncio.gather(
            *(self._close(socket) for socket in tuple(self._sockets)), return_exceptions=True
        )
        if self._http is not None:
            await self._http.aclose()


class _Socket:
    def __init__(self, connection: ClientConnection, voice: str, dialect: Dialect) -> None:
        self._connection = connection
        self.voice = voice
        self.dialect = dialect
        self.used_s = time.monotonic()
        self._heard_s = self.used_s

    @property
    def silent_s(self) -> float:
        """Since when the vendor has said nothing, or not been asked to."""
        return time.monotonic() - self._heard_s

    @property
    def is_open(self) -> bool:
        return self._connection.close_code is None and self._connection.state.name == "OPEN"

    async def begin(self, text: str) -> None:
        self.used_s = self._heard_s = time.monotonic()
        for message in self.dialect.begin(text, self.used_s):
            await self._connection.send(message)

    async def audio(self) -> AsyncIterator[bytes]:
        """Until everything was said. Raises ProviderError, and what the connection raises."""
        over = False
        while not over:
            said = self.dialect.read(await self._connection.recv())
            self._heard_s = time.monotonic()
            over = said.over
            if said.audio:
                yield said.audio

    async def cut_off(self) -> bool:
        """Whether it can be used again."""
        messages = self.dialect.cut_off()
        if messages is None:
            return False
        for message in messages:
            await self._connection.send(message)
        free = self.dialect.is_free(None)
        while not free:
            free = self.dialect.is_free(await self._connection.recv())
        return True

    async def close(self) -> None:
        try:
            with contextlib.suppress(*OUTSIDE):
                for message in self.dialect.goodbye():
                    await self._connection.send(message)
            await self._connection.close()
        finally:
            self._connection.transport.abort()
