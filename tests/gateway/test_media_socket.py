"""The socket fed with bytes, where it matters what comes in one read."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
import pytest_asyncio
from websockets.frames import Frame, Opcode

from voxbus.gateway.errors import MediaError
from voxbus.gateway.media_socket import MAX_UNSENT_BYTES, MediaSocket, for_board
from voxbus.gateway.switchboard import Entry, Switchboard

pytestmark = pytest.mark.asyncio(loop_scope="session")

HANDSHAKE = (
    b"GET /twilio/stream/x HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Transport:
    """Remembers what was written, and whether it was closed."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.closed = True

    abort = close

    def get_write_buffer_size(self) -> int:
        return sum(map(len, self.written))

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str) -> tuple[str, int] | None:
        return ("127.0.0.1", 1) if name == "peername" else None


class Stream:
    def __init__(self) -> None:
        self.heard: list[object] = []

    def on_message(self, data: bytes) -> None:
        self.heard.append(json.loads(bytes(data)))

    def on_binary(self) -> None:
        self.heard.append("binary")

    def on_violation(self, error: MediaError) -> None:
        self.heard.append(error.code)

    def on_closed(self, code: int) -> None:
        self.heard.append(code)


class Socket:
    def __init__(self) -> None:
        self.stream = Stream()
        self.transport = Transport()
        entry = Entry("", minted=False, visit=cast(Any, None))
        board: Any = SimpleNamespace(check=lambda *_: entry, open=lambda *_: self.stream, slow_client_s=60)
        make = cast(type[MediaSocket], for_board(cast(Switchboard, board)))
        self.protocol = make(cast(Any, None), cast(Any, SimpleNamespace(connections=set())), {})
        self.protocol.connection_made(cast(asyncio.BaseTransport, self.transport))
        self.protocol.data_received(HANDSHAKE)
        self.transport.written.clear()

    def receive(self, *frames: Frame) -> None:
        self.protocol.data_received(b"".join(frame.serialize(mask=True) for frame in frames))


def text(value: object, *, fin: bool = True) -> Frame:
    return Frame(Opcode.TEXT, json.dumps(value).encode(), fin)


@pytest_asyncio.fixture(loop_scope="session")
async def socket() -> Socket:
    return Socket()


async def test_stop_counts_although_the_close_frame_comes_with_it(socket: Socket) -> None:
    socket.receive(text("stop"), Frame(Opcode.CLOSE, b"\x03\xe8"))
    socket.protocol.connection_lost(None)
    assert socket.stream.heard == ["stop", 1000]
    assert socket.transport.closed


async def test_a_message_in_fragments_is_one_message(socket: Socket) -> None:
    socket.receive(Frame(Opcode.TEXT, b'"me', False), Frame(Opcode.CONT, b"dia", False))
    assert socket.stream.heard == []
    socket.receive(Frame(Opcode.PING, b"?"), Frame(Opcode.CONT, b'"'))
    assert socket.stream.heard == ["media"]
    assert socket.transport.written == [Frame(Opcode.PONG, b"?").serialize(mask=False)]


async def test_a_binary_message_in_fragments_is_one_too(socket: Socket) -> None:
    socket.receive(Frame(Opcode.BINARY, b"\0", False), Frame(Opcode.CONT, b"\0"))
    assert socket.stream.heard == ["binary"]


async def test_everything_queued_leaves_in_one_write(socket: Socket) -> None:
    for message in (b"one", b"two", b"three"):
        socket.protocol.queue(message)
    assert socket.transport.written == []
    socket.protocol.flush()
    assert len(socket.transport.written) == 1


async def test_after_our_close_nothing_is_heard_and_nothing_is_sent(socket: Socket) -> None:
    socket.protocol.close(1008, "é" * 200)  # longer than a control frame may be
    (close,) = socket.transport.written
    assert len(close) <= 127
    socket.receive(text("more"))
    socket.protocol.queue(b"late")
    socket.protocol.flush()
    assert socket.stream.heard == []
    assert len(socket.transport.written) == 1
    socket.receive(Frame(Opcode.CLOSE, b"\x03\xf0"))
    assert socket.transport.closed


async def test_a_frame_that_breaks_the_protocol_closes_the_socket(socket: Socket) -> None:
    socket.protocol.data_received(b"\xff\xff\xff\xff")
    assert socket.transport.closed


async def test_a_slow_reader_blocks_until_it_has_read(socket: Socket) -> None:
    socket.protocol.pause_writing()
    assert socket.protocol.blocked
    socket.protocol.resume_writing()
    assert not socket.protocol.blocked


async def test_what_is_not_read_is_not_kept_for_ever(socket: Socket) -> None:
    socket.protocol.pause_writing()
    for _ in range(20):
        socket.protocol.queue(b"x" * 65_536)
        socket.protocol.flush()
    assert socket.transport.closed
    assert socket.transport.get_write_buffer_size() < MAX_UNSENT_BYTES + 70_000


async def test_fragments_without_end_are_too_many_messages(socket: Socket) -> None:
    socket.receive(Frame(Opcode.TEXT, b"", False))
    for _ in range(50):
        socket.receive(*[Frame(Opcode.CONT, b"", False)] * 100)
    assert socket.transport.written[-1].endswith(b"too many messages")
