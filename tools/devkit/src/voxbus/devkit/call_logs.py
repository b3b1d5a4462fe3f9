"""Which calls there are, and all that is kept of one: in the stream of the running calls, and in the archive."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import nats.errors
import nats.js.errors as js_errors

from voxbus.common import subjects
from voxbus.common.bus import Bus
from voxbus.common.bus.direct import direct_get
from voxbus.common.errors import BusUnavailable
from voxbus.common.events import Attached, Ended, Status, Stored

#: Small events, of which every call has one as soon as somebody works for it, or the carrier has spoken of it.
_KINDS: Final = (Attached.kind, Status.kind, Ended.kind)
_BATCH: Final = 500


async def read(bus: Bus, sid: str) -> list[Stored]:
    """All events of the call in order; empty when nothing is kept of it."""
    # What comes after a log was archived and purged stands in the stream alone.
    events = {stored.sequence: stored for stored in (*await bus.read_archive(sid), *await bus.read_log(sid))}
    return [events[sequence] for sequence in sorted(events)]


async def newest(bus: Bus, number: int) -> list[str]:
    """The CallSids of the ``number`` calls of which something was stored last, that one first."""
    last = await _last(bus, _KINDS)
    found = sorted(last, key=lambda sid: -last[sid])[:number]
    if len(found) < number:
        async for sid in _archived(bus):
            if sid not in last:
                found.append(sid)
            if len(found) == number:
                break
    return found


async def live(bus: Bus) -> list[str]:
    """The CallSids of all calls that are not over, in the order of ``newest``."""
    last, over = await _last(bus, _KINDS), await _last(bus, (Ended.kind,))
    return sorted(last.keys() - over.keys(), key=lambda sid: -last[sid])


async def _last(bus: Bus, kinds: tuple[str, ...]) -> dict[str, int]:
    """The sequence of the last event of these kinds, of every call whose log is in its stream."""
    last: dict[str, int] = {}
    for kind in kinds:
        for stream in subjects.streams():
            async for sequence, subject in _scan(bus, stream, subjects.events_of("*", kind)):
                sid = subjects.parse_event(subject)[0]
                last[sid] = max(sequence, last.get(sid, 0))
    return last


async def _scan(bus: Bus, stream: str, filter_: str, first: int = 1) -> AsyncIterator[tuple[int, str]]:
    """(sequence, subject) of every message from ``first`` on."""
    while True:
        batch = await _get(bus, stream, filter_, first)
        for one in batch:
            yield one
        if len(batch) < _BATCH:
            return
        first = batch[-1][0] + 1


async def _archived(bus: Bus) -> AsyncIterator[str]:
    """The CallSids of the archive, the one that was archived last first."""
    try:
        state = (await bus.control.jetstream(timeout=2).stream_info(subjects.ARCHIVE_STREAM)).state
    except (js_errors.Error, nats.errors.Error, TimeoutError) as error:
        raise BusUnavailable(f"the archive does not answer: {type(error).__name__}") from error
    top = state.last_seq
    while top >= state.first_seq and state.messages:
        bottom = max(state.first_seq, top - _BATCH + 1)
        batch = await _get(bus, subjects.ARCHIVE_STREAM, subjects.ARCHIVE_SUBJECTS, bottom)
        for sequence, subject in reversed(batch):
            if sequence <= top:
                yield subjects.archived_call(subject)
        top = bottom - 1


async def _get(bus: Bus, stream: str, filter_: str, first: int) -> list[tuple[int, str]]:
    query = {"seq": first, "next_by_subj": filter_, "batch": _BATCH}
    headers = [message.headers or {} for message in await direct_get(bus.requests, stream, query)]
    return [(int(one["Nats-Sequence"]), one["Nats-Subject"]) for one in headers]
