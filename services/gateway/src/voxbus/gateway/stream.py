"""One media stream, from its upgrade to its end: who may speak, what is wrong, when the call begins and ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, assert_never

from voxbus.common.errors import BusUnavailable
from voxbus.common.logs import get_logger
from voxbus.gateway import metrics
from voxbus.gateway.admission import Admitted, Asking, admit
from voxbus.gateway.call import Call, Leaving, close_frame
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
    parse,
)
from voxbus.gateway.core_stream import MAX_EARLY, StreamOrder
from voxbus.gateway.errors import BinaryFrame, MediaError, OutOfOrder, Refused
from voxbus.gateway.outlet import Outlet

if TYPE_CHECKING:
    from voxbus.gateway.switchboard import Entry, Switchboard

#: A socket that does not say ``start`` within this is none of Twilio's.
START_S: Final = 5.0

#: How long the last events of a call may take to their log before its socket is closed. They are stored all the same.
FLUSH_S: Final = 2.0


class Stream:
    """``done`` is set when nothing of it is left. Made on the loop, by the socket, after the upgrade."""

    def __init__(self, board: Switchboard, outlet: Outlet, entry: Entry) -> None:
        self._board = board
        self._outlet = outlet
        self._entry = entry
        self._order = StreamOrder(entry.sid)
        self._log = get_logger(__name__)
        self._admitted: Admitted | None = None
        self._call: Call | None = None
        self._waiting: list[Message] = []
        self._socket_code: int | None = None  # set once the socket is gone
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(START_S, self._no_start)
        self.done = asyncio.Event()
        board.streams.add(self)

    # From the socket

    def on_message(self, data: bytes | bytearray | memoryview) -> None:
        try:
            message = self._order.accept(parse(data))
        except MediaError as error:
            self._fault(error)
            return
        call = self._call
        if call is not None and type(message) is Media:  # the hot path
            call.on_media(message.media.payload, message.media.timestamp)
        elif isinstance(message, Start):
            self._on_start(message.start)
        elif isinstance(message, Unknown):
            metrics.UNKNOWN_MESSAGES.inc()
        elif message is not None:
            self._act(message)

    def on_binary(self) -> None:
        self._fault(BinaryFrame("a binary frame: Media Streams are text"))

    def on_violation(self, error: MediaError) -> None:
        """The socket takes no more for this."""
        self._fault(error)

    def on_closed(self, code: int) -> None:
        """The socket is gone, whoever closed it."""
        self._socket_code = code
        self._timer.cancel()
        if self._call is not None:
            self._call.on_lost(code)
        elif self._task is None or self._task.done():
            self._end()

    def hand_over(self, by_ms: float) -> None:
        """The gateway stops."""
        if self._call is not None:
            self._call.hand_over(by_ms)
        else:
            self._outlet.close(1001, "the gateway stops")

    # Before the call

    def _no_start(self) -> None:
        self._fault(OutOfOrder(f"no start within {START_S:g} s"))

    def _on_start(self, start: StartBody) -> None:
        self._timer.cancel()
        self._log = self._log.bind(call_sid=start.call_sid, stream_sid=start.stream_sid)
        self._task = asyncio.create_task(self._begin(start), name="begin a call")

    async def _begin(self, start: StartBody) -> None:
        board = self._board
        began_ms = board.ticker.now_ms()
        asking = Asking(
            start, self._entry.minted, self._outlet, board.ticker.now_ms, self._left, self._log, board.limits,
            board.recordings,
        )  # fmt: skip
        try:
            admitted = await admit(board.bus, board.catalog, asking)
        except MediaError as error:
            self._refuse(error.code, error.close_code, str(error))
        except Refused as error:
            self._refuse(error.code, 1008, str(error))
        except BusUnavailable as error:
            self._refuse(error.code, 1011, "the bus does not answer")
        except Exception as error:  # noqa: BLE001 - whatever it is: the carrier comes back, and this stream may not stay
            self._log.exception("a call could not begin", error)
            self._refuse("internal", 1011, "an error of ours")
        else:
            self._entry.visit.prove()
            self._admitted, self._call = admitted, admitted.call
            metrics.CALLS.inc()
            metrics.SETUP.observe(board.ticker.now_ms() - began_ms)
            self._go(admitted.call)
            await self._load_clips(admitted.call)
        finally:
            if self._call is None:
                self._end()

    def _go(self, call: Call) -> None:
        self._board.ticker.add(call)
        for message in self._order.take_early():
            try:
                accepted = self._order.accept(message)
            except MediaError as error:
                self._fault(error)
            else:
                if accepted is not None:
                    self._act(accepted)
        waiting, self._waiting = self._waiting, []
        for message in waiting:
            self._act(message)
        if self._socket_code is not None:
            call.on_lost(self._socket_code)

    async def _load_clips(self, call: Call) -> None:
        started = call.state.started
        if started is None:
            return  # its event is a moment behind; such a call has waited for us, and has had its clips
        agent = started.agent
        try:
            line = self._board.clips.line
            fillers = [await line(agent, text) for text in agent.lines.fillers]
            call.player.clips["filler"] = tuple(filter(None, fillers))
            call.player.clips["fallback"] = tuple(filter(None, [await line(agent, agent.lines.fallback)]))
            call.no_capacity_clip = await self._board.clips.line(agent, agent.lines.no_capacity)
        except BusUnavailable as error:
            self._log.warning("no clips for dead air", error=error)

    # Messages

    def _act(self, message: Message) -> None:
        call = self._call
        if call is None:
            if len(self._waiting) < MAX_EARLY:
                self._waiting.append(message)
            else:
                metrics.FRAMES_DROPPED.inc()
            return
        match message:
            case Media(_, media):
                call.on_media(media.payload, media.timestamp)
            case Mark(_, mark):
                call.on_mark(mark.name)
            case KeyPress(_, dtmf):
                call.on_key(dtmf.digit)
            case Stop():
                call.on_stop()
            case Unknown() | Connected() | Start():
                pass
            case _:
                assert_never(message)

    def _fault(self, error: MediaError) -> None:
        metrics.BAD_MESSAGES.labels(error.code).inc()
        close, first = self._order.fault(error)
        if first:
            self._log.warning("bad message on a media stream", code=error.code, error=error, closed=close)
        if close:
            self._outlet.close(error.close_code, str(error))

    def _refuse(self, code: str, close_code: int, line: str) -> None:
        metrics.BAD_MESSAGES.labels(code).inc()
        self._log.warning("a media stream was refused", code=code, error=line)
        self._outlet.close(close_code, line)

    # The end

    def _left(self, why: Leaving) -> None:
        self._task = asyncio.create_task(self._finish(why), name="finish a call")

    async def _finish(self, why: Leaving) -> None:
        """First the log, then the socket: what Twilio asks next is answered from the log."""
        assert self._admitted is not None
        self._board.ticker.discard(self._admitted.call)
        metrics.CALLS.dec()
        metrics.CLOSED.labels(why).inc()
        self._log.info("stream ended", why=why)
        try:
            await self._admitted.publisher.flush(FLUSH_S)
            self._outlet.close(*close_frame(why))
            await self._admitted.call.recorder.close()
            await self._admitted.close()
        finally:
            await self._board.unsent.keep(self._admitted.publisher)
            self._end()

    def _end(self) -> None:
        self._entry.visit.leave()
        self._board.streams.discard(self)
        self.done.set()
