"""The JSON of Media Streams: what the carrier sends, and a strict reading of what it gets.

Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages. Numbers go out as strings, except those
of the media format; ``connected`` has no sequence number; a digit's track is called ``inbound_track``. Nothing but
media, mark and clear may come in, with exactly their fields: all else is warning 31951, and a binary frame 31950.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass

UNDECODABLE = 31950
NON_CONFORMING = 31951


class ProtocolWarning(Exception):
    """What was received is not of the protocol, and is dropped. ``code`` is the carrier's."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code
        self.why = why


@dataclass(frozen=True)
class Media:
    payload: bytes


@dataclass(frozen=True)
class Mark:
    name: str


@dataclass(frozen=True)
class Clear:
    pass


def read(message: str | bytes, stream_sid: str) -> Media | Mark | Clear:
    """One message from the application. Raises ProtocolWarning."""
    if isinstance(message, bytes):
        raise ProtocolWarning(UNDECODABLE, "a binary frame")
    try:
        fields = json.loads(message)
    except (ValueError, RecursionError):
        raise ProtocolWarning(NON_CONFORMING, "not JSON") from None
    if not isinstance(fields, dict):
        raise ProtocolWarning(NON_CONFORMING, "not an object")
    match fields.get("event"):
        case "media":
            _exactly(fields, "event", "streamSid", "media")
            found: Media | Mark | Clear = Media(_payload(_text_of(fields, "media", "payload")))
        case "mark":
            _exactly(fields, "event", "streamSid", "mark")
            found = Mark(_text_of(fields, "mark", "name"))
        case "clear":
            _exactly(fields, "event", "streamSid")
            found = Clear()
        case _:
            raise ProtocolWarning(NON_CONFORMING, "an unknown event")
    if fields["streamSid"] != stream_sid:
        raise ProtocolWarning(NON_CONFORMING, "the streamSid of another stream")
    return found


def _exactly(fields: Mapping[str, object], *names: str) -> None:
    if set(fields) != set(names):
        wrong = ", ".join(sorted(set(fields) ^ set(names)))
        raise ProtocolWarning(NON_CONFORMING, f"{fields['event']}: missing or unknown fields: {wrong}")


def _text_of(fields: Mapping[str, object], outer: str, inner: str) -> str:
    body = fields[outer]
    if (
        not isinstance(body, dict)
        or set(body) != {inner}
        or not isinstance(body[inner], str)
        or not body[inner]
    ):
        raise ProtocolWarning(NON_CONFORMING, f"{outer}: expected exactly a {inner}, as text")
    text: str = body[inner]
    return text


def _payload(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ProtocolWarning(NON_CONFORMING, "media: the payload is not base64") from None


@dataclass
class Writer:
    """Writes the messages of one stream, numbering them from 1."""

    account_sid: str
    call_sid: str
    stream_sid: str
    _sequence: int = 0
    _chunk: int = 0

    def connected(self) -> str:
        return json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"})

    def start(self, parameters: Mapping[str, str]) -> str:
        return self._message(
            "start",
            {
                "accountSid": self.account_sid,
                "streamSid": self.stream_sid,
                "callSid": self.call_sid,
                "tracks": ["inbound"],
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                "customParameters": dict(parameters),
            },
        )

    def media(self, audio: bytes, timestamp_ms: int) -> str:
        """``timestamp_ms``: since the start of the stream. The one message that is written 50 times a second."""
        self._sequence += 1
        self._chunk += 1
        payload = base64.b64encode(audio).decode()
        return (
            f'{{"event":"media","sequenceNumber":"{self._sequence}","media":{{"track":"inbound",'
            f'"chunk":"{self._chunk}","timestamp":"{timestamp_ms}","payload":"{payload}"}},'
            f'"streamSid":"{self.stream_sid}"}}'
        )

    def dtmf(self, digit: str) -> str:
        return self._message("dtmf", {"track": "inbound_track", "digit": digit})

    def mark(self, name: str) -> str:
        return self._message("mark", {"name": name})

    def stop(self) -> str:
        return self._message("stop", {"accountSid": self.account_sid, "callSid": self.call_sid})

    def _message(self, event: str, body: Mapping[str, object]) -> str:
        self._sequence += 1
        return json.dumps(
            {"event": event, "sequenceNumber": str(self._sequence), "streamSid": self.stream_sid, event: body}
        )
