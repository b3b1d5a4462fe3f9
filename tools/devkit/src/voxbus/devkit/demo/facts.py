"""What the carrier's end of a call knows: the second witness, besides the log.

All ``*_ms`` are positions on the recording, whose first sample is the first frame of the media stream: the same
clock as the ``media_ms`` of the events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from voxbus.devkit.caller import Caller, Said
from voxbus.devkit.carrier import CallResult

#: The carrier logs every close of ours as an error, also the intended one that leads to the next verb.
_CLOSED_BY_US = 31921


@dataclass(frozen=True)
class Pressed:
    digit: str
    at_ms: float


#: ``first_word``: the model is under way and nothing of the reply is audible yet, the worst moment. ``mid_reply``: the
#: first sentence is out, the next is being generated.
Moment = Literal["first_word", "mid_reply"]


@dataclass(frozen=True)
class Kill:
    """A worker process that was sent SIGKILL while it worked on ``turn``. ``moment``: when in its reply."""

    service: str
    pid: int
    turn: int
    at_ms: float
    moment: Moment


@dataclass(frozen=True)
class CarrierFacts:
    """``zero_s``: Unix time of the recording's first sample, which puts the times of the log onto the recording.

    ``clears_ms``: when a ``clear`` arrived. ``last_verb``: the TwiML verb that ended the call, empty when the other
    side just vanished, and ``last_verb_from`` the path that answered it. ``warnings``: what the carrier would show
    its customer in the debugger. ``late_ms``: how far the simulator itself was ever behind real time.
    """

    call: str
    zero_s: float
    said: tuple[Said, ...] = ()
    pressed: tuple[Pressed, ...] = ()
    clears_ms: tuple[float, ...] = ()
    warnings: tuple[str, ...] = ()
    last_verb: str = ""
    last_verb_from: str = ""
    late_ms: float = 0.0


@dataclass(frozen=True)
class Step:
    """``at_ms``: since the order was taken."""

    state: str
    at_ms: float


@dataclass(frozen=True)
class Order:
    """What the scheduler knows of a call that it was asked to place: how it stands, and how it came there."""

    to: str
    state: str
    steps: tuple[Step, ...]


def facts_of(result: CallResult, caller: Caller) -> CarrierFacts:
    """From a call of the simulator and the script that held it."""
    last = result.verbs[-1] if result.verbs and result.ended_by == "application" else None
    return CarrierFacts(
        call=result.call_sid,
        zero_s=result.recording.zero_unix_s,
        said=tuple(caller.said),
        pressed=tuple(Pressed(digit, at_ms) for digit, at_ms in caller.pressed),
        clears_ms=result.recording.times_of("clear"),
        warnings=tuple(e.text for e in result.debugger.entries if e.code != _CLOSED_BY_US),
        last_verb=last.verb if last else "",
        last_verb_from=urlsplit(last.source).path if last else "",
        late_ms=round(result.recording.late_ms, 1),
    )
