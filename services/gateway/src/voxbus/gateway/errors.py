"""What may be wrong with what came in from outside.

    GatewayError
     +-- MediaError             a WebSocket message that is none of Twilio Media Streams
     |    +-- MalformedJson     text that is no JSON object
     |    +-- WrongFields       a field is missing or has another type; the message names it
     |    +-- BadPayload        audio that is empty, too long, or not base64
     |    +-- BinaryFrame       Media Streams speak in text frames only
     |    +-- TooLong           more than a message of theirs ever has
     |    +-- TooMany           more of them than a call ever sends
     |    +-- BrokenProtocol    no frame of a WebSocket
     |    +-- OutOfOrder        `start` twice, anything after `stop`, nothing at all
     |    +-- ForeignStream     a streamSid that is not this stream's
     |    +-- BadStart          `start` for another call, or in a format that we cannot play
     |    +-- BadToken          the stream token is missing, expired, used, or another call's
     |    +-- TooLate           the call has ended, or somebody else has it
     +-- Refused                a request that gets a status and one line

Every error carries a stable ``code``: it is the label of the counters, and what users search for. Texts never repeat
what was sent: it may be anything, a phone number too.
"""

from __future__ import annotations

from voxbus.common.errors import VoxbusError


class GatewayError(VoxbusError):
    code = "gateway"


class MediaError(GatewayError):
    """``close_code``: the WebSocket status to close with, when the socket cannot go on."""

    code = "media"
    close_code = 1008


class MalformedJson(MediaError):
    code = "malformed_json"
    close_code = 1007


class WrongFields(MediaError):
    code = "wrong_fields"


class BadPayload(MediaError):
    code = "bad_payload"


class BinaryFrame(MediaError):
    code = "binary_frame"
    close_code = 1003


class TooLong(MediaError):
    code = "too_long"
    close_code = 1009


class TooMany(MediaError):
    code = "too_many_messages"


class BrokenProtocol(MediaError):
    code = "protocol"
    close_code = 1002


class OutOfOrder(MediaError):
    code = "out_of_order"


class ForeignStream(MediaError):
    code = "foreign_stream"


class BadStart(MediaError):
    code = "bad_start"


class BadToken(MediaError):
    code = "bad_token"


class TooLate(MediaError):
    code = "too_late"
    close_code = 1000


class Refused(GatewayError):
    """``status``: the HTTP status of the answer; ``code`` is given, because each reason is counted apart.

    ``retry_after_s``: when the same may be granted; 0 = never.
    """

    def __init__(self, status: int, code: str, line: str, *, retry_after_s: int = 0) -> None:
        super().__init__(line)
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s

    @property
    def closes(self) -> bool:
        """The rest of the request is not read."""
        return self.status in (413, 429, 503)
