"""One bidirectional media stream: the carrier's end of the WebSocket, around the playout buffer."""

from __future__ import annotations

import contextlib
import secrets
from typing import Literal

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from voxbus.common.audio import FRAME_BYTES, FRAME_MS
from voxbus.devkit.carrier.core_buffer import Played, PlayoutBuffer
from voxbus.devkit.carrier.core_messages import Clear, Mark, Media, ProtocolWarning, Writer, read
from voxbus.devkit.carrier.core_twiml import Stream
from voxbus.devkit.carrier.recording import Recording
from voxbus.devkit.carrier.result import Debugger
from voxbus.devkit.carrier.route import Route
from voxbus.devkit.carrier.signing import HEADER, sign

# https://www.twilio.com/docs/api/errors/<code>
NO_ANSWER = 31901
REFUSED = 31902
LOST = 31903
HANDSHAKE = 31920
CLOSED = 31921
CONGESTED = 31930

#: More than this unsent means that the application does not read. Half a minute of frames.
_CONGESTED_BYTES = 512 * 1024

Ending = Literal["closed", "lost", "stopped"]


class StreamFailed(Exception):
    """The connection was not made. ``code`` is the carrier's."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(f"{code}: {why}")
        self.code = code


class MediaStream:
    """``open``, then ``run`` until it ends; meanwhile the call's clock asks for a frame every 20 ms."""

    def __init__(
        self, verb: Stream, account_sid: str, call_sid: str, recording: Recording, debugger: Debugger
    ) -> None:
        self.sid = "MZ" + secrets.token_hex(16)
        self.verb = verb
        self._recording = recording
        self._debugger = debugger
        self._writer = Writer(account_sid, call_sid, self.sid)
        self._buffer = PlayoutBuffer()
        self._frames = 0
        self._stopped = False
        self._socket: ClientConnection | None = None

    async def open(self, auth_token: str, route: Route, *, sign_trailing_slash: bool = False) -> None:
        """Connects and says ``connected`` and ``start``. Raises StreamFailed.

        ``sign_trailing_slash``: which of the two forms of the URL is signed; the carrier does not document it.
        """
        failure = StreamFailed(REFUSED, "no backend")
        signed = self.verb.url + "/" if sign_trailing_slash else self.verb.url
        for address in route.addresses(self.verb.url):
            headers = dict(address.headers)
            if auth_token:
                headers[HEADER] = sign(auth_token, signed)
            try:
                self._socket = await connect(
                    address.url,
                    additional_headers=headers,
                    user_agent_header="Twilio.TmeWs/1.0",
                    compression=None,
                    proxy=None,
                    max_size=None,  # a media message may be of any size
                    ping_interval=None,
                    close_timeout=2,
                )
                break
            except InvalidStatus as error:
                response = error.response
                body = (response.body or b"").decode(errors="replace")[:200]
                raise StreamFailed(HANDSHAKE, f"{response.status_code} {body}".strip()) from error
            except InvalidHandshake as error:
                raise StreamFailed(HANDSHAKE, str(error)) from error
            except TimeoutError:
                failure = StreamFailed(NO_ANSWER, "no answer to the connection request")
            except (OSError, EOFError) as error:
                failure = StreamFailed(REFUSED, type(error).__name__)
        if self._socket is None:
            raise failure
        self._recording.note("stream_started", self.sid)
        await self._send(self._writer.connected())
        await self._send(self._writer.start(self.verb.parameters))

    async def run(self) -> Ending:
        """Reads what the application sends, until the connection ends."""
        socket = self._connection
        try:
            async for message in socket:
                await self._receive(message)
        except ConnectionClosed:
            pass  # how it closed is asked below
        if self._stopped:
            return "stopped"
        ending: Ending = "closed" if socket.close_code != 1006 else "lost"
        self._recording.note("stream_closed" if ending == "closed" else "stream_lost", self.sid)
        return ending

    def play(self) -> Played:
        """20 ms of what the application queued."""
        return self._buffer.play(FRAME_BYTES)

    async def frame(self, audio: bytes, marks: tuple[str, ...]) -> None:
        """The caller's next 20 ms, and the marks that are due."""
        if self._connection.transport.get_write_buffer_size() > _CONGESTED_BYTES:
            self._debugger.add(CONGESTED, "the application does not read: call audio is discarded")
            return
        timestamp_ms = self._frames * FRAME_MS
        self._frames += 1
        await self._send(self._writer.media(audio, timestamp_ms))
        await self._return(marks)

    async def press(self, digit: str) -> None:
        self._recording.note("pressed", digit)
        await self._send(self._writer.dtmf(digit))

    async def stop(self) -> None:
        """The carrier ends the stream: the call is over, or moved on."""
        if self._stopped:
            return
        self._stopped = True
        self._recording.note("stream_stopped", self.sid)
        await self._send(self._writer.stop())
        await self._connection.close()

    async def _receive(self, message: str | bytes) -> None:
        try:
            received = read(message, self.sid)
        except ProtocolWarning as warning:
            self._debugger.add(warning.code, warning.why)
            return
        match received:
            case Media(payload):
                if not self._buffer.queued_bytes:
                    self._recording.note("audio")
                self._buffer.media(payload)
            case Mark(name):
                self._recording.note("mark", name)
                await self._return(self._buffer.mark(name))
            case Clear():
                self._recording.note("clear")
                await self._return(self._buffer.clear())

    async def _return(self, marks: tuple[str, ...]) -> None:
        for name in marks:
            self._recording.note("mark_returned", name)
            await self._send(self._writer.mark(name))

    async def _send(self, text: str) -> None:
        # A connection that is gone is noticed, and told, by ``run``.
        with contextlib.suppress(ConnectionClosed):
            await self._connection.send(text)

    @property
    def _connection(self) -> ClientConnection:
        if self._socket is None:
            raise RuntimeError("the stream is not open")
        return self._socket
