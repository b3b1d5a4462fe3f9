"""The log of a call: append, read, and follow it live."""

from __future__ import annotations

import asyncio
import json
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import nats.errors
import nats.js.errors as js_errors
from nats.aio.msg import Msg

from voxbus.common import subjects, telemetry
from voxbus.common.bus.direct import TooManySubjects, direct_get
from voxbus.common.bus.following import Follower, OnEvent, OpenLog, stored_of
from voxbus.common.bus.requests import AnswerLost, Requests
from voxbus.common.bus.wire import EXPECTED, EXPECTED_SUBJECT, WRONG_LAST_SEQUENCE
from voxbus.common.codec import encode
from voxbus.common.errors import (
    BusClosed,
    BusError,
    BusUnavailable,
    ConditionFailed,
    Conflict,
    LogFull,
    LogIncomplete,
)
from voxbus.common.events import KINDS, Event, Stored

if TYPE_CHECKING:
    from nats.aio.client import Client

#: JetStream's one error code for whatever kept it from storing a message, and its words for the reason that we want.
_STORE_FAILED = 10077
_SUBJECT_TAKEN = "maximum messages per subject exceeded"

#: A publish that was not answered is tried again with the same message id, which the stream recognizes.
_ANSWER_TIMEOUT_S = 1.0
_RETRY_S = 0.1
_NO_RESPONDERS = "503"
#: How long a replica that is behind is given, from one question to the next.
_BEHIND_S = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32)
#: A stream answers at most this many subjects to one ``multi_last``.
_MAX_SUBJECTS = 1024

_NOT_STORED = telemetry.counter(
    "bus_store_failed", "Events that the stream of calls could not store: it is full, or its disk."
)


@dataclass(frozen=True)
class Condition:
    """The last message on ``subject`` (a filter) must have ``sequence`` when the event is stored; 0 = there is none."""

    subject: str
    sequence: int


def under(holder: int, sid: str) -> Condition:
    """Only while ``holder`` (the sequence of an ``attached``) still holds the call."""
    return Condition(subjects.events_of(sid, "attached"), holder)


def not_ended(sid: str) -> Condition:
    return Condition(subjects.events_of(sid, "ended"), 0)


class Log:
    def __init__(self, client: Client, requests: Requests, reconnected: list[Callable[[], None]]) -> None:
        self._client = client
        self._requests = requests
        self._reconnected = reconnected

    async def append(self, event: Event, *, only_if: Condition | None = None, timeout_s: float = 10) -> int:
        """Stores the event and returns its sequence.

        Raises Conflict when its subject is taken (by an event that somebody else wrote), ConditionFailed when
        ``only_if`` does not hold, BusUnavailable when nothing answered for ``timeout_s``, BusClosed when nothing will,
        LogFull.
        """
        subject = subjects.event(event.call, event.kind, event.key())
        headers = {"Nats-Msg-Id": uuid.uuid4().hex}
        if only_if is not None:
            headers[EXPECTED] = str(only_if.sequence)
            headers[EXPECTED_SUBJECT] = only_if.subject
        data = encode(event)
        deadline = asyncio.get_running_loop().time() + timeout_s
        while True:
            try:
                answer = await self._requests.ask(subject, data, _ANSWER_TIMEOUT_S, headers)
            except (AnswerLost, TimeoutError):
                pass
            except nats.errors.OutboundBufferLimitError:
                await _pause()  # disconnected, and so much waits to be sent already
            except nats.errors.ConnectionClosedError as error:
                raise BusClosed(f"{event.kind}: the connection is closed") from error
            except nats.errors.Error as error:
                raise BusUnavailable(f"{event.kind}: {type(error).__name__}") from error
            else:
                if _status(answer) == _NO_RESPONDERS:
                    await _pause()  # no stream leader just now: a restart, or an election
                else:
                    answered = json.loads(answer.data)
                    if "error" not in answered:
                        return int(answered["seq"])
                    await self._refused(event, subject, answered["error"])
                    await _pause()
            if asyncio.get_running_loop().time() >= deadline:
                raise BusUnavailable(f"{event.kind} was not stored: no answer in {timeout_s:g} s")

    async def _refused(self, event: Event, subject: str, error: dict[str, object]) -> None:
        """Raises what the stream's refusal means; returns when trying again may help."""
        code, reason = error.get("err_code"), error.get("description")
        if code == _STORE_FAILED:
            # Words may change with the server; what is stored does not.
            if reason == _SUBJECT_TAKEN or await self.stored(event) is not None:
                raise Conflict(subject)
            _NOT_STORED.inc()
            raise LogFull(f"{event.kind} was not stored: {reason}")
        if code in WRONG_LAST_SEQUENCE:
            raise ConditionFailed(f"{subject}: {reason}")
        if error.get("code") != 503:
            raise BusError(f"{subject} was refused: {reason} ({code})")

    async def stored(self, event: Event) -> Stored | None:
        """What the log holds at this event's subject: what to read after a Conflict.

        None when it is not there; before that a replica that has not seen it yet is asked again.
        """
        subject = subjects.event(event.call, event.kind, event.key())
        for wait_s in _BEHIND_S:
            if found := await self._multi_last(subjects.stream_of(event.call), [subject], 0):
                return found[0]
            await asyncio.sleep(wait_s)
        return None

    async def read(self, sid: str, *, through: int = 0, kinds: tuple[str, ...] = ()) -> list[Stored]:
        """All events of the call that we can read, in order, up to the sequence ``through`` (0 = all there are).

        With ``through`` the event of that sequence must be in the answer: a replica that has not seen it yet is asked
        again, LogIncomplete is raised when that does not help. ``kinds``: only these.
        """
        stream = subjects.stream_of(sid)
        filters = [subjects.events_of(sid, kind) for kind in kinds] or [subjects.events_of(sid)]
        for wait_s in _BEHIND_S:
            events = await self._multi_last(stream, filters, through)
            if not through or kinds or any(event.sequence == through for event in events):
                return events
            await asyncio.sleep(wait_s)
        raise LogIncomplete(f"the log of the call does not show sequence {through} yet")

    async def purge(self, sid: str, *, through: int) -> None:
        """Removes the call's events up to the sequence ``through``; later ones stay. Jobs made of them are gone, too.

        Raises BusUnavailable when no answer comes.
        """
        stream, filter_ = subjects.stream_of(sid), subjects.events_of(sid)
        try:
            # The stream keeps ``seq`` itself.
            await self._client.jsm(timeout=2).purge_stream(stream, seq=through + 1, subject=filter_)
        except (js_errors.Error, nats.errors.Error, TimeoutError) as error:
            raise BusUnavailable(f"the log was not purged: {type(error).__name__}") from error

    async def _multi_last(self, stream: str, filters: list[str], through: int) -> list[Stored]:
        try:
            messages = await self._direct_get(stream, filters, through)
        except TooManySubjects:
            if len(filters) == 1:
                sid, _, rest = filters[0].removeprefix("call.").partition(".")
                if rest != "event.>":
                    raise BusError(f"one kind of event has more than {_MAX_SUBJECTS} in this call") from None
                filters = [subjects.events_of(sid, kind) for kind in KINDS]
            messages = []
            for one in filters:
                messages += await self._multi_last(stream, [one], through)
            return sorted(messages, key=lambda stored: stored.sequence)
        return messages

    async def _direct_get(self, stream: str, filters: list[str], through: int) -> list[Stored]:
        """One Direct Get with ``multi_last``: the last message of each subject, ended by a 204."""
        query: dict[str, object] = {"multi_last": filters, "batch": _MAX_SUBJECTS}
        if through:
            query["up_to_seq"] = through
        found = [
            stored_of(message.headers["Nats-Subject"], message.headers, message.data)
            for message in await direct_get(self._requests, stream, query)
            if message.headers is not None
        ]
        return sorted(filter(None, found), key=lambda stored: stored.sequence)

    async def open(self, sid: str, on_event: OnEvent) -> OpenLog:
        """The log so far, and then each later event exactly once and in order, over lost connections too."""
        log = OpenLog(self, self._client, sid, on_event, self._reconnected)
        await log.start()
        return log

    async def follow(self, on_event: OnEvent, kinds: tuple[str, ...] = ()) -> Follower:
        """Live events of all calls, of ``kinds`` only when given. What happens while disconnected is missed."""
        follower = Follower(self._client, on_event)
        await follower.start([subjects.log_of("*", kind) for kind in kinds] or [subjects.log_of()])
        return follower


async def _pause() -> None:
    """Of those that were refused in the same moment, not all come back in the same moment."""
    await asyncio.sleep(_RETRY_S * random.uniform(0.5, 1.5))


def _status(message: Msg) -> str:
    """Of an answer that is no message of a stream; empty for one that is."""
    return str((message.headers or {}).get("Status", ""))
