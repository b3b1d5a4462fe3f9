"""What was unusual about the line and about who worked for the call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from voxbus.common import events as ev
from voxbus.common.events import Stored
from voxbus.common.fold import CallState
from voxbus.devkit.demo.story import of_kind
from voxbus.devkit.why.core_finding import Finding, seconds

#: A worker that is free takes a call in a few milliseconds; after 3 s the gateway gives up.
_LATE_S: Final = 1.0
#: A hum now and then is a listener's; more of it is an echo, or a noisy place.
_HOLDS: Final = 3

_CLOSED: Final = {
    1001: "the gateway stopped and let the call go on at another one",
    1011: "the gateway gave the media stream up after an error of its own, which is in its log",
}


def of_line(state: CallState, log: Sequence[Stored]) -> Iterator[Finding]:
    """``log`` without its void events; ``state`` after it."""
    yield from _holders(state, log)
    yield from _streams(log)
    held = of_kind(log, ev.Continued)
    if len(held) >= _HOLDS:
        text = f"the agent stopped {len(held)} times for sounds that meant nothing: echo, noise, or a listener's mm-hm"
        yield Finding(held[0][0], 0, text)


def _holders(state: CallState, log: Sequence[Stored]) -> Iterator[Finding]:
    if state.started is None:
        return
    attached = of_kind(log, ev.Attached)
    if not attached:
        yield Finding(state.started_s, 0, "no STT worker took the call: nobody listened to the caller")
        return
    if (late_s := attached[0][0] - state.started_s) >= _LATE_S:
        text = f"an STT worker took the call only after {seconds(late_s)}: none was free, or none was there"
        yield Finding(attached[0][0], 0, text)
    for (_, before), (at_s, after) in pairwise(attached):
        text = (
            f"STT worker {after.worker} took the call over from {before.worker}, which stopped, hung or died"
        )
        if after.worker == before.worker:
            text = f"STT worker {after.worker} took the call again: it had failed it, or was away for a while"
        yield Finding(at_s, 0, text)


def _streams(log: Sequence[Stored]) -> Iterator[Finding]:
    lost_s: float | None = None
    for stored in log:
        match stored.event:
            case ev.Disconnected(code=code):
                lost_s = stored.time_s
                yield Finding(lost_s, 0, _CLOSED.get(code, f"the media stream was lost (close code {code})"))
            case ev.Resumed() if lost_s is not None:
                text = f"the call was back on another stream after {seconds(stored.time_s - lost_s)}"
                yield Finding(stored.time_s, 0, text)
                lost_s = None
            case ev.Resumed():
                text = "the call came back on another stream: its gateway died without a word"
                yield Finding(stored.time_s, 0, text)
            case _:
                pass
