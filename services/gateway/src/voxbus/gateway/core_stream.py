"""Which message may come when: connected, start, (media | dtmf | mark)*, stop."""

from __future__ import annotations

from typing import Final

from voxbus.gateway.core_media import (
    Connected,
    KeyPress,
    Mark,
    Media,
    Message,
    Start,
    StartBody,
    Stop,
    Unknown,
)
from voxbus.gateway.errors import BadStart, ForeignStream, MediaError, OutOfOrder

#: Messages kept until ``start`` has come and the call is set up: 5 s of frames, and some more.
MAX_EARLY: Final = 300

#: A stream with more faults than this is closed: whoever speaks there is not Twilio.
MAX_FAULTS: Final = 20


class StreamOrder:
    """``call_sid``: the call that the URL named, or empty. ``start``: what began the stream."""

    def __init__(self, call_sid: str = "") -> None:
        self._call_sid = call_sid
        self._stopped = False
        self._early: list[Message] = []
        self._faults: dict[str, int] = {}
        self.start: StartBody | None = None

    def accept(self, message: Message) -> Message | None:
        """The message, if it is one to act upon now. Raises a MediaError for one that may not come here."""
        if self._stopped:
            raise OutOfOrder("a message after stop")
        start = self.start
        if type(message) is Media and start is not None and message.stream_sid == start.stream_sid:
            return message  # nearly all that ever comes
        match message:
            case Unknown():
                return message
            case Connected():
                return None
            case Start(body):
                if start is not None:
                    raise OutOfOrder("start came twice")
                if self._call_sid and body.call_sid != self._call_sid:
                    raise BadStart("start.callSid is another call than the URL's")
                self.start = body
                return message
            case Media() | KeyPress() | Mark() | Stop():
                if start is None:
                    self._keep(message)
                    return None
                if message.stream_sid != start.stream_sid and not (
                    isinstance(message, Stop) and not message.stream_sid
                ):
                    raise ForeignStream("streamSid is not that of this stream")
                if isinstance(message, Stop):
                    self._stopped = True
                return message

    def _keep(self, message: Message) -> None:
        if isinstance(message, Stop):
            raise OutOfOrder("stop before start")
        if len(self._early) >= MAX_EARLY:
            raise OutOfOrder("too much before start")
        self._early.append(message)

    def take_early(self) -> list[Message]:
        """What came before ``start``, to be accepted again after it."""
        early, self._early = self._early, []
        return early

    def fault(self, error: MediaError) -> tuple[bool, bool]:
        """Counts it. (the socket is to be closed, it is the first of its kind).

        Before ``start`` nobody has shown who they are; after it, one wrong message need not cost a call.
        """
        count = self._faults[error.code] = self._faults.get(error.code, 0) + 1
        too_many = sum(self._faults.values()) > MAX_FAULTS
        return self.start is None or error.close_code == 1003 or too_many, count == 1
