"""Twilio Media Streams: the JSON of the socket to typed messages, and back.

    connected, start, (media | dtmf | mark)*, stop      to us
    media, mark, clear                                  from us

Strict where a wrong message would become wrong audio (types, base64, sizes), tolerant where Twilio itself varies:
numbers come as strings, unknown fields are ignored, unknown events become ``Unknown``.
Source of the shapes: Twilio's page "Media Streams - WebSocket messages".

A frame costs about a microsecond here, 50 of them a second in each call: the types and the base64 are checked by
msgspec's decoder in one pass over the bytes.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Final

import msgspec

from voxbus.common.errors import InvalidCallSid
from voxbus.common.subjects import check_sid
from voxbus.gateway.errors import BadPayload, BadStart, MalformedJson, WrongFields

#: Twilio sends 20 ms a message. Its page does not promise that; 2 s is more than any relay has been seen to collect.
MAX_PAYLOAD_BYTES: Final = 16_000

#: A streamSid becomes part of a subject, so that ``.``, ``*`` and ``>`` must stay out.
_STREAM_SID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class _Message(msgspec.Struct, frozen=True, tag_field="event", rename="camel"):
    pass


class Connected(_Message, frozen=True, tag="connected"):
    pass


class MediaFormat(msgspec.Struct, frozen=True, rename="camel"):
    encoding: str = "audio/x-mulaw"
    sample_rate: int = 8000
    channels: int = 1


class StartBody(msgspec.Struct, frozen=True, rename="camel"):
    call_sid: str
    stream_sid: str
    media_format: MediaFormat = MediaFormat()
    custom_parameters: dict[str, str] = {}


class Start(_Message, frozen=True, tag="start"):
    start: StartBody


class MediaBody(msgspec.Struct, frozen=True, gc=False):
    """``payload`` is decoded: mu-law bytes. ``timestamp``: ms since the stream began."""

    payload: bytes
    timestamp: int = -1
    track: str = "inbound"


class Media(_Message, frozen=True, tag="media"):
    stream_sid: str
    media: MediaBody


class DtmfBody(msgspec.Struct, frozen=True):
    digit: str


class KeyPress(_Message, frozen=True, tag="dtmf"):
    stream_sid: str
    dtmf: DtmfBody


class MarkBody(msgspec.Struct, frozen=True):
    name: str


class Mark(_Message, frozen=True, tag="mark"):
    stream_sid: str
    mark: MarkBody


class Stop(_Message, frozen=True, tag="stop"):
    stream_sid: str = ""


class Unknown(msgspec.Struct, frozen=True):
    """An event that this build does not know. Twilio adds some now and then."""


Message = Connected | Start | Media | KeyPress | Mark | Stop | Unknown

_decoder = msgspec.json.Decoder(Connected | Start | Media | KeyPress | Mark | Stop, strict=False)
_event_only = msgspec.json.Decoder(dict[str, object])
_KNOWN = frozenset(("connected", "start", "media", "dtmf", "mark", "stop"))
_DIGITS = frozenset("0123456789*#ABCD")


def parse(data: bytes | bytearray | memoryview) -> Message:
    """One text frame of the socket. Raises a MediaError that names the fault, never the content."""
    try:
        message: Message = _decoder.decode(data)
    except msgspec.ValidationError as error:
        return _explain(data, str(error))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedJson("the message is not JSON") from error
    match message:
        case Media():
            if not 0 < len(message.media.payload) <= MAX_PAYLOAD_BYTES:
                empty = not message.media.payload
                raise BadPayload(
                    f"media.payload is {'empty' if empty else f'over {MAX_PAYLOAD_BYTES} bytes'}"
                )
        case Start():
            _check_start(message.start)
        case KeyPress() if message.dtmf.digit not in _DIGITS:
            raise WrongFields("dtmf.digit is none of 0-9, *, #, A-D")
        case _:
            pass
    return message


def _check_start(start: StartBody) -> None:
    try:
        check_sid(start.call_sid)
    except InvalidCallSid as error:
        raise BadStart(f"start.callSid is {error}") from None
    if _STREAM_SID.fullmatch(start.stream_sid) is None:
        raise BadStart("start.streamSid is not a stream's name")
    wanted = MediaFormat()
    if start.media_format != wanted:
        raise BadStart("start.mediaFormat is not audio/x-mulaw at 8000 Hz with one channel")


def _explain(data: bytes | bytearray | memoryview, reason: str) -> Unknown:
    """What was wrong with JSON that is no message of ours: perhaps only an event of the future."""
    try:
        fields = _event_only.decode(data)
    except msgspec.ValidationError:
        raise MalformedJson("the message is not a JSON object") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # behind the wrong field
        raise MalformedJson("the message is not JSON") from None
    event = fields.get("event")
    if not isinstance(event, str):
        raise WrongFields("the field event is missing or no string")
    if event not in _KNOWN:
        return Unknown()
    if "base64" in reason.lower():
        raise BadPayload("media.payload is not base64")
    # msgspec says which type was expected where, and never repeats a value of a known event.
    raise WrongFields(f"{event}: {reason}")


class Writer:
    """Messages to Twilio for one stream. Nothing but these three is accepted there, with exactly these fields."""

    def __init__(self, stream_sid: str) -> None:
        head = f'","streamSid":{_json(stream_sid)}'
        self._media = f'{{"event":"media{head},"media":{{"payload":"'.encode()
        self._mark = f'{{"event":"mark{head},"mark":{{"name":'.encode()
        self.clear: Final = f'{{"event":"clear{head}}}'.encode()

    def media(self, audio: bytes) -> bytes:
        return self._media + b64encode(audio) + b'"}}'

    def mark(self, name: str) -> bytes:
        return self._mark + _json(name).encode() + b"}}"


def _json(text: str) -> str:
    return msgspec.json.encode(text).decode()
