"""Somebody who speaks to a gateway as Twilio does, and somebody who answers as the workers do."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from typing import Any, TypeVar

import httpx
import pytest
from prometheus_client import REGISTRY
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from voxbus.common import events as ev
from voxbus.common import subjects
from voxbus.common.agents import Voice
from voxbus.common.bus import Bus
from voxbus.common.codec import AudioOut, pack
from voxbus.common.events import Event
from voxbus.gateway.service import Gateway

AUTH_TOKEN = "0123456789abcdef0123456789abcdef"
SECRET = "a-secret-of-the-dialer"
E = TypeVar("E", bound=Event)


def sign(url: str, form: Mapping[str, str] | None = None, token: str = AUTH_TOKEN) -> str:
    """As Twilio does it."""
    text = url + "".join(f"{name}{value}" for name, value in sorted((form or {}).items()))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"voxbus_{name}_total", labels) or 0.0


class Twilio:
    """A caller's carrier, one call. ``received``: what the gateway sent, parsed."""

    def __init__(self, gateway: Running, sid: str) -> None:
        self.gateway = gateway
        self.sid = sid
        self.stream_sid = "MZ" + secrets.token_hex(16)
        self.received: list[dict[str, Any]] = []
        self.sent_ms = 0
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    async def voice(self, **fields: str) -> httpx.Response:
        form = {"CallSid": self.sid, "From": "+15550111", "To": "+15550122", "Direction": "inbound"} | fields
        return await self.gateway.post("/twilio/voice", form)

    async def token(self, query: str = "") -> str:
        form = {"CallSid": self.sid, "Direction": "inbound"}
        response = await self.gateway.post(f"/twilio/voice{query}", form)
        assert response.status_code == 200, response.text
        return response.text.partition('name="token" value="')[2].partition('"')[0]

    async def connect(
        self, path: str = "", *, signature: str | None = None, origin: str | None = None
    ) -> None:
        url = f"ws://127.0.0.1:{self.gateway.port}{path or f'/twilio/stream/{self.sid}'}"
        headers = {"X-Twilio-Signature": sign(url) if signature is None else signature}
        if origin is not None:
            headers["Origin"] = origin
        self._socket = await connect(url, additional_headers=headers, compression=None, proxy=None)
        self._reader = asyncio.create_task(self._read())

    async def begin(self, path: str = "", *, agent: str = "") -> None:
        """Webhook, upgrade, connected, start."""
        token = await self.token(f"?agent={agent}" if agent else "")
        await self.connect(path)
        await self.send({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        await self.start(token=token)

    async def start(self, **parameters: str) -> None:
        await self.send(self.start_message(**parameters))

    def start_message(self, **parameters: str) -> dict[str, Any]:
        return {
            "event": "start",
            "sequenceNumber": "1",
            "streamSid": self.stream_sid,
            "start": {
                "accountSid": "AC0",
                "streamSid": self.stream_sid,
                "callSid": self.sid,
                "tracks": ["inbound"],
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                "customParameters": parameters,
            },
        }

    def media_message(self, audio: bytes) -> dict[str, Any]:
        timestamp, self.sent_ms = self.sent_ms, self.sent_ms + len(audio) // 8
        payload = base64.b64encode(audio).decode()
        media = {"track": "inbound", "chunk": "1", "timestamp": str(timestamp), "payload": payload}
        return {"event": "media", "sequenceNumber": "2", "streamSid": self.stream_sid, "media": media}

    async def media(self, audio: bytes) -> None:
        await self.send(self.media_message(audio))

    async def press(self, digit: str) -> None:
        dtmf = {"track": "inbound_track", "digit": digit}
        await self.send({"event": "dtmf", "streamSid": self.stream_sid, "dtmf": dtmf})

    async def mark(self, name: str) -> None:
        await self.send({"event": "mark", "streamSid": self.stream_sid, "mark": {"name": name}})

    async def stop(self) -> None:
        await self.send({"event": "stop", "streamSid": self.stream_sid, "stop": {"callSid": self.sid}})

    async def send(self, message: Mapping[str, Any] | str | bytes) -> None:
        assert self._socket is not None
        await self._socket.send(message if isinstance(message, str | bytes) else json.dumps(message))

    def send_bytes(self, data: bytes) -> None:
        """Past the WebSocket protocol."""
        assert self._socket is not None
        self._socket.transport.write(data)

    async def wait_for(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        """The messages of this kind, once there are so many."""
        async with asyncio.timeout(30):
            while len(found := [m for m in self.received if m["event"] == event]) < count:
                self._news.clear()
                await self._news.wait()
        return found

    def heard(self) -> bytes:
        return b"".join(
            base64.b64decode(m["media"]["payload"]) for m in self.received if m["event"] == "media"
        )

    @property
    def is_closed(self) -> bool:
        return self._reader is None or self._reader.done()

    async def closed(self) -> tuple[int, str]:
        """How the gateway closed the socket."""
        assert self._reader is not None
        assert self._socket is not None
        async with asyncio.timeout(30):
            await asyncio.wait((self._reader,))
        return self._socket.close_code or 0, self._socket.close_reason or ""

    async def close(self) -> None:
        """In order, without ``stop``."""
        if self._socket is not None:
            await self._socket.close()

    def drop(self) -> None:
        """As when a cable is cut."""
        assert self._socket is not None
        self._socket.transport.abort()

    async def _read(self) -> None:
        assert self._socket is not None
        try:
            async for message in self._socket:
                self.received.append(json.loads(message))
                self._news.set()
        except ConnectionClosed:
            pass


class Running:
    """A gateway that listens, and a log to look into."""

    def __init__(self, gateway: Gateway, bus: Bus, http: httpx.AsyncClient) -> None:
        self.gateway = gateway
        self.bus = bus
        self.http = http
        self.port = gateway.port
        self.url = f"http://127.0.0.1:{gateway.port}"
        self.drained = False
        self._calls: list[Twilio] = []

    def call(self, sid: str | None = None) -> Twilio:
        call = Twilio(self, sid or "CA" + secrets.token_hex(16))
        self._calls.append(call)
        return call

    async def hang_up(self) -> None:
        """Closes every socket of the calls so far."""
        calls, self._calls = self._calls, []
        await asyncio.gather(*(call.close() for call in calls))

    async def post(self, path: str, form: Mapping[str, str], signature: str | None = None) -> httpx.Response:
        url = self.url + path
        signed = sign(url, form) if signature is None else signature
        headers = [(b"X-Twilio-Signature", signed.encode())]
        return await self.http.post(url, data=dict(form), headers=headers)

    async def log(self, sid: str, kind: type[E], count: int = 1) -> list[E]:
        """The events of this kind in the call's log, once there are so many."""
        return await self.log_within(sid, kind, 5, count)

    async def log_within(self, sid: str, kind: type[E], seconds: float, count: int = 1) -> list[E]:
        async with asyncio.timeout(seconds):
            while True:
                log = [s.event for s in await self.bus.read_log(sid)]
                if len(found := [event for event in log if isinstance(event, kind)]) >= count:
                    return found
                await asyncio.sleep(0.005)

    async def refused_handshake(
        self, call: Twilio, path: str = "", signature: str | None = None, origin: str | None = None
    ) -> tuple[int, str]:
        """(status, body) of an upgrade request that is not granted."""
        with pytest.raises(InvalidStatus) as refused:
            await call.connect(path, signature=signature, origin=origin)
        response = refused.value.response
        return response.status_code, (response.body or b"").decode()


class Workers:
    """What the STT, LLM and TTS workers of a call would say, by hand."""

    def __init__(self, bus: Bus, sid: str) -> None:
        self.bus = bus
        self.sid = sid
        self.holder = 0

    async def attach(self) -> None:
        self.holder = await self.bus.append(
            ev.Attached(call=self.sid, worker="w", nonce=secrets.token_hex(4))
        )

    async def say(
        self, text: str, audio: bytes, *, turn: int = 1, index: int = 0, ended: bool = True, **more: Any
    ) -> None:
        """One sentence, as one message."""
        sentence = ev.Sentence(call=self.sid, turn=turn, index=index, text=text, voice=Voice(), **more)
        await self.bus.append(sentence)
        if ended:
            await self.bus.append(
                ev.ReplyEnded(call=self.sid, turn=turn, sentences=index + 1, reason="complete")
            )
        for at in range(0, len(audio), 3200):
            last = at + 3200 >= len(audio)
            piece = AudioOut(turn, 0, index, 1, at, last, 5.0, audio[at : at + 3200])
            self.bus.audio.publish(subjects.audio_out(self.sid), pack(piece))

    async def utterance(self, turn: int = 2, **more: Any) -> None:
        fields: dict[str, Any] = {
            "text": "hello", "start_media_ms": 0, "end_media_ms": 0, "ended_by": "silence",
        } | more  # fmt: skip
        await self.bus.append(ev.Utterance(call=self.sid, holder=self.holder, turn=turn, **fields))

    async def put(self, event: Event) -> None:
        await self.bus.append(event)
