"""A call at a provider that streams over a WebSocket: opened when the call begins, kept alive, reopened, closed.

What differs between providers is a ``Dialect``; a new one is a file with one. Speech is sent as it is spoken. A
connection that broke is opened again at once, and what of the caller's speech nobody has understood yet is said again.
Where a provider refuses (429), speech is dropped and counted: a word that comes late is worth less than the next one
in time.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Sequence
from typing import Final

from websockets.asyncio.client import ClientConnection

from voxbus.common.errors import ProviderError
from voxbus.common.logs import get_logger
from voxbus.common.providers.backoff import wait_s
from voxbus.common.providers.failing import OUTSIDE, as_failure
from voxbus.common.providers.socket import dial
from voxbus.common.telemetry import counter
from voxbus.stt.core_stream import BYTES_PER_MS, Heard, Line, Stretch
from voxbus.stt.providers.dialect import Message, Provider
from voxbus.stt.recognizer import Listener, Transcript

log = get_logger(__name__)

_CONNECTIONS: Final = counter(
    "stt_connections", "Connections to recognizers, by how they came about.", "provider", "how"
)
_FRAME_BYTES: Final = 20 * BYTES_PER_MS
#: So much audio may wait for a connection that takes it too slowly; then the oldest is dropped.
_BACKLOG_BYTES: Final = 1000 * BYTES_PER_MS
#: So long, where a connection has to be opened first.
_RECOVERED_S: Final = 1.5
#: So long, when nothing at all was heard of it: most often it was no speech.
_ANY_WORDS_S: Final = 0.4
_CONNECT_S: Final = 3.0
_CLOSE_S: Final = 1.0


class StreamHearing:
    """``provider``: of this one call."""

    def __init__(self, provider: Provider, listener: Listener) -> None:
        self._provider = provider
        self._listener = listener
        self._line = Line()
        self._connection: ClientConnection | None = None
        self._dialect = provider.dialect()
        self._queue: deque[tuple[Message, int]] = deque()  # messages, and how much caller audio is in them
        self._backlog_bytes = 0
        self._work = asyncio.Event()
        self._refused = False
        self._useful = False  # words came over the present connection
        self.failure: ProviderError | None = None  # why there is no connection
        self._heard = asyncio.Event()  # set, and replaced, with each news
        self._changed = asyncio.Event()  # the same of the connection
        self._task = asyncio.create_task(self._run(), name=f"hear with {provider.name}")

    async def ready(self) -> None:
        while self._connection is None:
            if self.failure is not None:
                raise self.failure
            await self._changed.wait()

    def open(self) -> StreamRecognition:
        return StreamRecognition(self, self._line.begin())

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if connection is not None:
            with contextlib.suppress(*OUTSIDE):
                async with asyncio.timeout(_CLOSE_S):
                    for message in self._dialect.closing():
                        await connection.send(message)
                    await connection.close()

    # -- the call's side ---------------------------------------------------------------------------------------

    def feed(self, stretch: Stretch, audio: bytes) -> None:
        if self._refused:
            self._listener.on_lost(-(-len(audio) // _FRAME_BYTES), "provider_refuses")
            return
        self._line.keep(stretch, audio)
        if self._connection is not None:
            self._send_audio(audio)

    def look(self, stretch: Stretch) -> None:
        if self._connection is not None and (messages := self._dialect.look()):
            stretch.asked += 1
            self._send(messages)

    async def result(self, stretch: Stretch, *, looked: bool) -> Transcript:
        """No more audio of it comes."""
        stretch.closed = True
        if self._connection is not None and not (looked and stretch.asked) and not self._is_known(stretch):
            self._end_turn(stretch, begun=bool(stretch.texts))
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        while not self._is_known(stretch):
            last_s = self._dialect.last_words_s
            if self.failure is not None or self._connection is None:
                wait = max(last_s, _RECOVERED_S)
            else:
                # Who is asked for words answers late, if at all; who tells them unasked would have told some.
                wait = last_s if self._dialect.flushes or stretch.texts else _ANY_WORDS_S
            try:
                async with asyncio.timeout_at(began_s + wait):
                    await self._heard.wait()
            except TimeoutError:
                break
        self._line.forget(stretch)
        if not stretch.text and self.failure is not None:
            raise self.failure
        return Transcript(stretch.text, stretch.confidence)

    def drop(self, stretch: Stretch) -> None:
        if not stretch.closed and self._connection is not None:
            self._send(self._dialect.dropped())
        stretch.closed = True
        self._line.forget(stretch)

    def _is_known(self, stretch: Stretch) -> bool:
        """Everything that will be heard of a stretch that is over."""
        if self._dialect.flushes:
            return 0 < stretch.asked <= stretch.answered
        return stretch.understood

    def _end_turn(self, stretch: Stretch, *, begun: bool) -> None:
        if messages := self._dialect.end_turn(begun=begun):
            stretch.asked += 1
            self._send(messages)

    # -- the connection ----------------------------------------------------------------------------------------

    async def _run(self) -> None:
        tries = 0
        while True:
            try:
                await self._connect()
                self._useful = False
                await self._converse()
            except (ProviderError, *OUTSIDE) as error:
                failure = error if isinstance(error, ProviderError) else as_failure(error)
            self._connection = None
            # One that was accepted and ended before a word is no better than one that was refused.
            tries = 1 if self._useful else tries + 1
            self._useful = False
            self._lost(failure, tries)
            await asyncio.sleep(wait_s(failure, tries, random.random()))

    def _lost(self, failure: ProviderError, tries: int) -> None:
        self.failure = failure
        self._tell_change()
        log.warning("no recognizer", provider=self._provider.name, cause=failure.cause, error=failure)
        _CONNECTIONS.labels(self._provider.name, failure.cause).inc()
        self._queue.clear()
        self._backlog_bytes = 0
        self._refused = failure.cause not in ("connection", "cut_off", "malformed")
        if self._refused or tries > 1:
            # Somebody else may hear the call from here on, and all of this turn: then nothing is lost.
            self._listener.on_failed(failure)
        if self._refused:
            for stretch in self._line.stretches:
                if stretch.audio and not stretch.done:
                    self._listener.on_lost(-(-len(stretch.audio) // _FRAME_BYTES), "provider_refuses")
                    stretch.audio.clear()

    def _tell_change(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _connect(self) -> None:
        url, headers = self._provider.address()
        connection = await dial(url, headers, within_s=_CONNECT_S)
        _CONNECTIONS.labels(self._provider.name, "opened").inc()
        self._dialect = self._provider.dialect()
        self._refused = False
        self._send(self._dialect.opening())
        for stretch in self._line.renew():
            stretch.start_ms = self._line.sent_ms
            for at in range(0, len(stretch.audio), _BACKLOG_BYTES // 4):
                piece = bytes(stretch.audio[at : at + _BACKLOG_BYTES // 4])
                self._line.sent(len(piece))
                self._queue.append((self._dialect.audio(piece), 0))
            if stretch.closed:
                self._end_turn(stretch, begun=True)
        self._connection = connection
        self._work.set()
        self._tell_change()

    async def _converse(self) -> None:
        """Until the connection breaks, which is raised."""
        assert self._connection is not None
        connection = self._connection
        sending = asyncio.create_task(self._send_all(connection), name="send speech")
        try:
            async for message in connection:
                for heard in self._dialect.read(message):
                    self.failure, self._useful = None, True
                    self._take(heard)
            await connection.wait_closed()
            raise ProviderError("cut_off", f"closed with {connection.close_code}")
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            if self._connection is connection:  # broken, not closed by us
                connection.transport.abort()

    def _take(self, heard: Heard) -> None:
        stretch = self._line.take(heard)
        if stretch is None:
            return
        news, self._heard = self._heard, asyncio.Event()
        news.set()
        if stretch.closed:
            return
        if stretch.text:
            self._listener.on_partial(stretch.text)
        if heard.resumed:
            self._listener.on_resumed()
        if heard.guessed and stretch.text:
            self._listener.on_guess(stretch.text, heard.confidence)
        if heard.ended and stretch.text:
            self._listener.on_end_of_turn(heard.confidence)

    async def _send_all(self, connection: ClientConnection) -> None:
        while True:
            while self._queue:
                message, size_bytes = self._queue.popleft()
                self._backlog_bytes -= size_bytes
                await connection.send(message)
            self._work.clear()
            try:
                async with asyncio.timeout(self._dialect.idle_s):
                    await self._work.wait()
            except TimeoutError:
                message, counts_bytes = self._dialect.idle()
                self._line.sent(counts_bytes)
                await connection.send(message)

    def _send(self, messages: Sequence[Message]) -> None:
        self._queue.extend((message, 0) for message in messages)
        self._work.set()

    def _send_audio(self, audio: bytes) -> None:
        self._line.sent(len(audio))
        self._queue.append((self._dialect.audio(audio), len(audio)))
        self._backlog_bytes += len(audio)
        while self._backlog_bytes > _BACKLOG_BYTES:
            oldest = next(index for index, (_, size) in enumerate(self._queue) if size)
            self._backlog_bytes -= self._queue[oldest][1]
            self._listener.on_lost(self._queue[oldest][1] // _FRAME_BYTES, "provider_slow")
            self._line.sent(-self._queue[oldest][1])
            del self._queue[oldest]
        self._work.set()


class StreamRecognition:
    def __init__(self, hearing: StreamHearing, stretch: Stretch) -> None:
        self._hearing = hearing
        self._stretch = stretch

    def feed(self, audio: bytes) -> None:
        self._hearing.feed(self._stretch, audio)

    def look(self) -> None:
        self._hearing.look(self._stretch)

    async def finish(self, *, looked: bool) -> Transcript:
        return await self._hearing.result(self._stretch, looked=looked)

    def cancel(self) -> None:
        self._hearing.drop(self._stretch)
