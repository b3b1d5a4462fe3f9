"""The WebSocket of a media stream, under uvicorn.

uvicorn's own implementations put each message into a queue, from which a task of the application takes it, and stop and
start reading meanwhile: at 50 messages a second and call that is most of the work. This one is the sans-I/O protocol of
``websockets`` with plain calls around it: a frame is handled where it arrives, and all frames of one decision leave in
one write.
"""

from __future__ import annotations

import asyncio
import socket
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar, Final, cast

from websockets.exceptions import PayloadTooBig
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from voxbus.common.logs import get_logger
from voxbus.common.web import Seat
from voxbus.gateway import metrics
from voxbus.gateway.errors import BrokenProtocol, MediaError, Refused, TooLong, TooMany
from voxbus.gateway.switchboard import Entry, Switchboard, refused
from voxbus.gateway.urls import headers_of

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

    from voxbus.gateway.stream import Stream

log = get_logger(__name__)

#: Twilio's messages are some 400 bytes; ``start`` with its parameters may be a few thousand.
MAX_MESSAGE_BYTES: Final = 65_536
#: Frames, pings and fragments too: Twilio sends 50 a second, and after a stall it makes up for what it kept.
FRAMES_PER_S: Final = 200
FRAMES_AT_ONCE: Final = 4_000
#: What lies unsent is some 20 kB a second of audio; what reads so little of it will never catch up.
MAX_UNSENT_BYTES: Final = 1_000_000
#: The system would keep megabytes, minutes of audio, before it told us that nobody reads.
SEND_BUFFER_BYTES: Final = 65_536
#: The answer to our close frame is waited for so long.
CLOSE_S: Final = 2.0
#: A reason must fit into a control frame of 125 bytes.
MAX_REASON_BYTES: Final = 120


class MediaSocket(asyncio.Protocol):
    """uvicorn makes one for each upgrade request, with these arguments. See ``for_board``."""

    board: ClassVar[Switchboard]

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, object]) -> None:
        self._connections = server_state.connections
        self._seat = app_state.get("seat")
        self._slow_s = self.board.slow_client_s
        self._protocol = ServerProtocol(max_size=MAX_MESSAGE_BYTES)
        self._transport: asyncio.Transport | None = None
        self._stream: Stream | None = None
        self._parts: list[bytes] = []
        self._text = True
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        # We closed. That the protocol sent a close frame says less: it answers one that came in the same read as the
        # carrier's last words, before we have seen those.
        self._through = False
        self.blocked = False
        self._slow_timer: asyncio.TimerHandle | None = None
        self._frames_left = float(FRAMES_AT_ONCE)
        self._counted_s = self._loop.time()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast and no check: uvloop's transports are none of asyncio's classes, though they have all their methods.
        self._transport = cast(asyncio.Transport, transport)
        if (sock := self._transport.get_extra_info("socket")) is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self._connections.add(self)  # type: ignore[arg-type]  # uvicorn's set is annotated with its own protocols

    def data_received(self, data: bytes) -> None:
        protocol = self._protocol
        protocol.receive_data(data)
        events = protocol.events_received()
        if events and not self._may_send(len(events)):
            self._violated(TooMany("too many messages"))
            return
        for event in events:
            if isinstance(event, Frame):
                self._on_frame(event)
            elif isinstance(event, Request):
                self._on_request(event)
        if (broken := protocol.parser_exc) is not None and not self._through:
            if isinstance(broken, PayloadTooBig):
                self._violated(TooLong(f"a message of more than {MAX_MESSAGE_BYTES} bytes"))
            else:
                self._violated(BrokenProtocol("this is no frame of a WebSocket"))
        # A pong, the echo of a close frame, or the close frame that a violation of the protocol is answered with.
        self.flush()
        if protocol.close_expected() and protocol.state is not State.OPEN:
            self._close_soon()

    def pause_writing(self) -> None:
        self.blocked = True
        self._slow_timer = self._loop.call_later(self._slow_s, self._too_slow)

    def resume_writing(self) -> None:
        self.blocked = False
        if self._slow_timer is not None:
            self._slow_timer.cancel()

    def eof_received(self) -> None:
        self._protocol.receive_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._protocol.receive_eof()
        for timer in (self._timer, self._slow_timer):
            if timer is not None:
                timer.cancel()
        if isinstance(self._seat, Seat):
            self._seat.leave()
        if self._stream is not None:
            received = self._protocol.close_rcvd
            self._stream.on_closed(received.code if received is not None else 1006)

    def shutdown(self) -> None:
        """uvicorn stops."""
        self.close(1001, "the gateway stops")

    # Outlet

    def queue(self, message: bytes) -> None:
        if self._protocol.state is State.OPEN:
            self._protocol.send_text(message)

    def flush(self) -> None:
        out = self._protocol.data_to_send()
        if out and self._transport is not None and not self._transport.is_closing():
            # The empty piece that stands for the end of the stream adds nothing: the transport is closed for it.
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))
            if self.blocked and self._transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
                self._too_slow()

    def close(self, code: int, reason: str) -> None:
        if self._protocol.state is State.OPEN:
            self._through = True
            self._protocol.send_close(code, reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore"))
            self.flush()
            self._close_soon()

    # Events of the protocol

    def _on_request(self, request: Request) -> None:
        assert self._transport is not None
        response = self._protocol.accept(request)
        entry = None
        if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            peer = self._transport.get_extra_info("peername")
            headers = headers_of(request.headers.raw_items())
            try:
                seat = self._seat if isinstance(self._seat, Seat) else None
                entry = self.board.check(request.path, headers, peer[0] if peer else "", seat)
            except Refused as error:
                refused(error)
                response = self._protocol.reject(error.status, f"{error}\n")
                response.headers["X-Content-Type-Options"] = "nosniff"
                if error.retry_after_s:
                    response.headers["Retry-After"] = str(error.retry_after_s)
        else:
            # Not in the log: nobody has looked yet at whose it is, and how many of them come.
            metrics.BAD_REQUESTS.labels("bad_handshake").inc()
        self._answer(response, entry)

    def _answer(self, response: Response, entry: Entry | None) -> None:
        self._protocol.send_response(response)
        self.flush()
        if entry is not None:
            self._stream = self.board.open(self, entry)
        elif self._transport is not None:
            self._transport.close()

    def _on_frame(self, frame: Frame) -> None:
        stream = self._stream
        if stream is None or self._through:
            return
        opcode = frame.opcode
        if opcode is Opcode.TEXT and frame.fin:
            stream.on_message(frame.data)
        elif opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._on_part(stream, frame)

    def _on_part(self, stream: Stream, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._parts, self._text = [], frame.opcode is Opcode.TEXT
        self._parts.append(bytes(frame.data))
        if not frame.fin:
            return
        if self._text:
            stream.on_message(b"".join(self._parts))
        else:
            stream.on_binary()

    def _may_send(self, frames: int) -> bool:
        self._frames_left -= frames
        if self._frames_left < 0:
            now_s = self._loop.time()
            earned = (now_s - self._counted_s) * FRAMES_PER_S
            self._frames_left = min(FRAMES_AT_ONCE, self._frames_left + earned)
            self._counted_s = now_s
        return self._frames_left >= 0 or self._through

    def _violated(self, error: MediaError) -> None:
        """Where the protocol found it, the close frame is its own."""
        if self._stream is not None:
            self._stream.on_violation(error)
        self.close(error.close_code, str(error))
        self._through = True

    def _too_slow(self) -> None:
        """What we send is not read. A close frame would not be either."""
        if self._transport is not None and not self._transport.is_closing():
            metrics.SLOW_CLIENTS.inc()
            log.warning("a media stream does not read what it is sent, and is cut off")
            self._transport.abort()

    def _close_soon(self) -> None:
        """Once the closing handshake is through, or has taken too long."""
        assert self._transport is not None
        if self._protocol.close_rcvd is not None or self._protocol.parser_exc is not None:
            self._transport.close()
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(CLOSE_S, self._transport.abort)


def for_board(board: Switchboard) -> type[asyncio.Protocol]:
    """The protocol class to give to uvicorn, which makes its instances itself."""
    return type("MediaSocket", (MediaSocket,), {"board": board})
