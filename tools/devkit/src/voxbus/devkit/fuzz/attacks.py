"""What strangers send to a gateway, and carriers gone mad. Sockets block: one attacker, one thing at a time."""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import socket
import struct
from collections.abc import Callable, Sequence
from http.client import HTTPConnection, HTTPException
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from hypothesis import strategies as st

from voxbus.devkit.carrier import core_twiml
from voxbus.devkit.carrier.signing import HEADER, sign
from voxbus.devkit.fuzz import making
from voxbus.devkit.fuzz.samples import SID, messages, start

#: Longer than the gateway lets a request take here.
_WAIT_S: Final = 8.0
_ENOUGH: Final = 4_000_000

_WEBHOOKS: Final = ("voice", "next", "status", "amd", "stream-status")
_FIELDS: Final = (
    "CallSid", "From", "To", "Direction", "CallStatus", "SequenceNumber", "CallDuration", "SipResponseCode",
    "AnsweredBy", "StreamEvent", "StreamError", "session", "agent", "streams", "tries",
)  # fmt: skip
_BODIES: Final = {
    "/phone/calls": {"agent": "kira"},
    f"/phone/calls/{SID}/next": {"agent": "", "streams": 1, "tries": 0},
    "/internal/store-context": {
        "call_sid": SID,
        "agent": "",
        "direction": "inbound",
        "variables": {"a": "b"},
    },
}
_NO_BODIES: Final = [
    b"[" * 60_000,
    b'{"agent":' * 5000,
    b'{"agent":"\\ud8',
    b"\xff\xfe",
    b"{" + b" " * 70_000,
    b"1" * 6000,
]
_REQUESTS: Final = [
    b"GET /health?nonce=a HTTP/1.1\r\nHost: h\r\n\r\n",
    b"POST /twilio/voice HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nCallSid=a",
    b"POST /twilio/status HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na=b\r\n0\r\n\r\n",
    b"GET /phone/%2e%2e/x HTTP/1.0\r\nX-Forwarded-For: 1.2.3.4\r\nExpect: 100-continue\r\n\r\n",
    b"GET /voice HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nOrigin: http://h\r\n\r\n",
]
_FRAMES: Final = [
    b"\x81\x85\0\0\0\0hello", b"\x82\x80\0\0\0\0", b"\x89\x80\0\0\0\0", b"\x88\x82\0\0\0\0\x03\xe8",
    b"\x01\x81\0\0\0\0[",
    b"\x80\x81\0\0\0\0]", b"\x81\xfe\xff\xff\0\0\0\0", b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0",
]  # fmt: skip

Attack = tuple[st.SearchStrategy[Any], Callable[[Any], None]]


class Attacker:
    """Knows the carrier's token, so that what it sends gets past the door."""

    def __init__(self, url: str, auth_token: str, internal_secret: str) -> None:
        self._url = url
        self._auth_token = auth_token
        self._secret = internal_secret
        parts = urlsplit(url)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)

    def attacks(self) -> dict[str, Attack]:
        text = st.one_of(
            st.text(max_size=60), st.sampled_from(("", "0", "completed", "inbound", "human", "A" * 5000))
        )
        form = st.tuples(
            st.sampled_from(_WEBHOOKS),
            st.booleans(),
            st.dictionaries(st.sampled_from(_FIELDS), text, max_size=8),
            st.booleans(),
        )
        body = st.sampled_from(sorted(_BODIES)).flatmap(
            lambda path: st.tuples(
                st.just(path),
                st.one_of(making.nearly([_BODIES[path]]), making.values(), st.sampled_from(_NO_BODIES)),
            )
        )
        path = making.text_near([f"/twilio/stream/{SID}", "/media-stream", "/voice"])
        said = st.lists(
            st.one_of(making.nearly(messages(SID, "{stream}")), making.values(), st.just(b"\0")), max_size=12
        )
        frames = st.lists(st.one_of(st.sampled_from(_FRAMES), making.bytes_near(_FRAMES)), max_size=12)
        return {
            "raw requests": (making.bytes_near(_REQUESTS), self.raw),
            "webhooks": (form, self.webhook),
            "JSON bodies": (body, self.body),
            "handshakes": (st.tuples(path, st.booleans()), self.handshake),
            "media streams": (st.tuples(said, st.booleans()), self.stream),
            "WebSocket frames": (st.tuples(frames, st.booleans()), self.frames),
        }

    def raw(self, data: bytes) -> None:
        with socket.create_connection(self._address, _WAIT_S) as connection:
            _send(connection, data)
            answer = _read(connection)
        for line in answer.split(b"\r\n"):
            if line.startswith(b"HTTP/1.1 "):
                _check(int(line.split()[1]), b"")

    def webhook(self, given: tuple[str, bool, dict[str, str], bool]) -> None:
        name, posted, fields, has_sid = given
        if has_sid:  # a call of its own: what it does to that is its own affair
            fields = fields | {"CallSid": "CA" + secrets.token_hex(16)}
        elif "CallSid" in fields:
            fields = fields | {"CallSid": fields["CallSid"][:20]}
        form = urlencode(fields, errors="surrogatepass")
        path = f"/twilio/{name}" + ("" if posted or not form else f"?{form}")
        signed = sign(self._auth_token, self._url + path, fields if posted else None)
        headers = {HEADER: signed, "Content-Type": "application/x-www-form-urlencoded"}
        status, body = self._ask("POST" if posted else "GET", path, form.encode() if posted else b"", headers)
        if status == 200:
            core_twiml.parse(body.decode())

    def body(self, given: tuple[str, Any]) -> None:
        path, value = given
        try:
            data = value if isinstance(value, bytes) else json.dumps(value).encode(errors="surrogatepass")
        except (TypeError, ValueError):  # what JSON has no text for
            data = repr(value).encode(errors="surrogatepass")
        headers = {"Authorization": f"Bearer {self._secret}", "Origin": self._url}
        self._ask("POST", path, data, headers)

    def handshake(self, given: tuple[str, bool]) -> None:
        path, signed = given
        target = "".join(c if "!" <= c <= "~" else "%2A" for c in path)[:2000] or "/"
        with socket.create_connection(self._address, _WAIT_S) as connection:
            _send(connection, self._upgrade(target, signed=signed))
            head = connection.recv(4096)
        if head:
            _check(int(head.split()[1]), b"")

    def stream(self, given: tuple[Sequence[Any], bool]) -> None:
        """A stream that begins well."""
        said, politely = given
        sid, stream_sid = "CA" + secrets.token_hex(16), "MZ" + secrets.token_hex(16)
        with self._open() as connection:
            _send(connection, _text(json.dumps(start(sid, stream_sid))))
            for one in said:
                if isinstance(one, bytes):
                    _send(connection, _frame(2, one))
                    continue
                try:
                    text = json.dumps(one).replace("{stream}", stream_sid).replace(SID, sid)
                except (TypeError, ValueError):
                    text = repr(one)
                _send(connection, _text(text))
            self._leave(connection, politely=politely)

    def frames(self, given: tuple[Sequence[bytes], bool]) -> None:
        frames, politely = given
        with self._open() as connection:
            for one in frames:
                _send(connection, one)
            self._leave(connection, politely=politely)

    def _leave(self, connection: socket.socket, *, politely: bool) -> None:
        if politely:
            _send(connection, _frame(8, b"\x03\xe8"))
            _read(connection)
        else:  # as when a cable is cut: the connection is reset
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _open(self) -> socket.socket:
        connection = socket.create_connection(self._address, _WAIT_S)
        _send(connection, self._upgrade("/media-stream", signed=True))
        head = connection.recv(4096)
        assert head.startswith(b"HTTP/1.1 101 "), f"a good handshake is refused: {head[:80]!r}"
        return connection

    def _upgrade(self, target: str, *, signed: bool) -> bytes:
        url = self._url.replace("http", "ws", 1) + target
        lines = [
            f"GET {target} HTTP/1.1", f"Host: {self._address[0]}:{self._address[1]}", "Connection: Upgrade",
            "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Origin: {self._url}",
            f"Sec-WebSocket-Key: {base64.b64encode(secrets.token_bytes(16)).decode()}",
            f"{HEADER}: {sign(self._auth_token, url) if signed else 'bm8='}",
        ]  # fmt: skip
        return "\r\n".join((*lines, "", "")).encode("latin-1")

    def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = HTTPConnection(*self._address, timeout=_WAIT_S)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (
            ConnectionError,
            HTTPException,
        ):  # it may close before it has read all of a body that is too long
            return 0, b""
        finally:
            connection.close()
        _check(answer.status, content)
        return answer.status, content


def _check(status: int, body: bytes) -> None:
    assert status < 500 or status == 503, f"it answers {status}"
    assert b"Traceback" not in body, "it tells a stranger about its inside"


def _text(text: str) -> bytes:
    return _frame(1, text.encode(errors="surrogatepass"))


def _frame(opcode: int, data: bytes) -> bytes:
    """Masked with zeros, which leave the data as it is."""
    size = len(data)
    if size < 126:
        head = bytes((0x80 | opcode, 0x80 | size))
    elif size < 65_536:
        head = struct.pack("!BBH", 0x80 | opcode, 0xFE, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0xFF, size)
    return head + b"\0\0\0\0" + data


def _send(connection: socket.socket, data: bytes) -> None:
    with contextlib.suppress(ConnectionError):  # it has heard enough
        connection.sendall(data)


def _read(connection: socket.socket) -> bytes:
    """Everything until it closes. Raises AssertionError when it does not."""
    answer = b""
    try:
        connection.shutdown(socket.SHUT_WR)
        while data := connection.recv(65_536):
            answer += data
            assert len(answer) < _ENOUGH, "it answers without end"
    except TimeoutError:
        raise AssertionError(f"it neither answers nor closes within {_WAIT_S:g} s") from None
    except OSError:  # reset, or not connected any more
        pass
    return answer
