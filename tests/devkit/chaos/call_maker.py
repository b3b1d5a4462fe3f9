"""A call as the chaos command sees it, drawn: ``#`` the agent is to be heard, each character is 100 ms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from voxbus.common import events as ev
from voxbus.common.agents import Agent, Lines, Voice
from voxbus.common.events import EndReason, Event, Stored
from voxbus.devkit.chaos.facts import Asked, CallFacts, Question

SID = "CA" + "1" * 32
BEGAN_S = 1000.0
HOURS = Question("hours", "what are your hours", "1")
AGENT = Agent(name="information", prompt="You are a test.", lines=Lines(greeting="Hello."))

#: Characters of a drawing to frames.
_FRAMES = 5


def asked(start_ms: float, end_ms: float | None = None, question: Question = HOURS) -> Asked:
    """With a key, unless it takes time."""
    if end_ms is None:
        return Asked(question, "key", start_ms, start_ms)
    return Asked(question, "voice", start_ms, end_ms)


class Log:
    """Events at times on the recording, ms."""

    def __init__(self) -> None:
        self.stored: list[Stored] = []
        self.add(0, ev.Started(call=SID, stream_sid="MZ", session="", direction="inbound", agent=AGENT))
        self.holder = self.add(10, ev.Attached(call=SID, worker="w", nonce="n"))

    def add(self, at_ms: float, event: Event) -> int:
        self.stored.append(Stored(len(self.stored) + 1, BEGAN_S + at_ms / 1000, event))
        return len(self.stored)

    def says(self, at_ms: float, turn: int, text: str) -> Log:
        self.add(
            at_ms,
            ev.Utterance(
                call=SID, holder=self.holder, turn=turn, text=text, start_media_ms=0, end_media_ms=0,
                ended_by="silence",
            ),
        )  # fmt: skip
        return self

    def answers(self, at_ms: float, turn: int, *texts: str, heard_ms: int | None = 1000) -> Log:
        """``heard_ms``: how long each of them took; None: nobody knows whether they were heard."""
        for index, text in enumerate(texts):
            self.add(at_ms, ev.Sentence(call=SID, turn=turn, index=index, text=text, voice=Voice()))
        self.add(at_ms, ev.ReplyEnded(call=SID, turn=turn, sentences=len(texts), reason="complete"))
        for index, text in enumerate(texts if heard_ms is not None else ()):
            assert heard_ms is not None
            self.add(
                at_ms,
                ev.Heard(
                    call=SID, stream_sid="MZ", turn=turn, sentence=index, complete=True, played_ms=heard_ms,
                    text=text, known_by="mark",
                ),
            )  # fmt: skip
        return self

    def ends(self, at_ms: float, reason: EndReason = "agent_hung_up") -> Log:
        self.add(at_ms, ev.Ended(call=SID, reason=reason))
        return self


def call(
    agent: str, log: Log, questions: Sequence[Asked], *, played: str | None = None, problem: str = ""
) -> CallFacts:
    """``agent``: the drawing. ``played``: the same for media that was played, where it differs."""

    def flags(drawing: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        return np.repeat(np.array([c == "#" for c in drawing]), _FRAMES)

    return CallFacts(
        SID, BEGAN_S, tuple(questions), flags(agent), flags(played or agent), tuple(log.stored), problem=problem
    )  # fmt: skip
