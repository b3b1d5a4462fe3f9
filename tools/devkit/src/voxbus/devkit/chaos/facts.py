"""What is known when the calls are over. Times that end in ``_s`` are Unix time, ``_ms`` are on a call's recording."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from voxbus.common.events import Stored
from voxbus.devkit.carrier import Moment

By = Literal["voice", "key"]


@dataclass(frozen=True)
class Question:
    """Something a caller may ask: in ``words``, or with a ``key``."""

    name: str
    words: str
    key: str


@dataclass(frozen=True)
class Asked:
    """``start_ms``/``end_ms``: the caller's first and last frame of it. ``again``: nobody had answered the same."""

    question: Question
    by: By
    start_ms: float
    end_ms: float
    again: bool = False

    @property
    def text(self) -> str:
        """What the agent should have understood."""
        return self.question.key if self.by == "key" else self.question.words


@dataclass
class Death:
    """``back_s``: when its successor was ready, 0 = never. ``held``: the calls that it had, where one process has a
    call for longer than a turn."""

    service: str
    name: str
    pid: int
    at_s: float
    back_s: float = 0.0
    held: tuple[str, ...] = ()


@dataclass(frozen=True)
class CallFacts:
    """One call from both ends. ``began_s``: the first frame of the recording.

    ``audible``, ``queued``: one flag a frame of 20 ms, whether the agent was to be heard, and whether media of the
    application was played (which may be silent). ``line``: what the carrier saw. ``problem``: why the caller thinks
    that the call was lost.
    """

    sid: str
    began_s: float
    asked: tuple[Asked, ...]
    audible: NDArray[np.bool_]
    queued: NDArray[np.bool_]
    log: tuple[Stored, ...]
    line: tuple[Moment, ...] = ()
    streams: int = 1
    late_ms: float = 0.0
    problem: str = ""


@dataclass(frozen=True)
class Delivered:
    """What the backend got of one call: how many requests, how many different bodies, and whether it took one."""

    requests: int
    bodies: int
    taken: bool


@dataclass(frozen=True)
class Facts:
    calls: tuple[CallFacts, ...]
    deaths: tuple[Death, ...]
    reports: dict[str, Delivered] = field(default_factory=dict)
    dialled: dict[str, int] = field(default_factory=dict)
    """How often the carrier was asked to ring, by order."""
