"""What is known of one turn of a call: who said what, and what of it was heard. And of one recording.

``voxbus.common.fold`` fills it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from voxbus.common import events as ev

Verdict = Literal["heard", "cut", "unheard", "assumed"]


@dataclass
class SentenceState:
    """``verdict`` None: still to be played, or being played. ``heard_text`` is what the caller heard of it."""

    event: ev.Sentence
    time_s: float
    verdict: Verdict | None = None
    heard_text: str = ""
    heard: ev.Heard | None = None

    @property
    def unheard_text(self) -> str:
        """What of it the caller has not heard. The two texts may differ in spaces, so words decide."""
        return " ".join(self.event.text.split()[len(self.heard_text.split()) :])


@dataclass
class ToolUse:
    """``returned`` None: it is under way, or nobody knows what became of it."""

    called: ev.ToolCalled
    returned: ev.ToolReturned | None = None


@dataclass
class RecordingState:
    """One stream's recording. ``started_s``: when its file was there; 0 = it never was."""

    started: ev.RecordingStarted | None = None
    started_s: float = 0.0
    ended: ev.RecordingEnded | None = None
    ended_s: float = 0.0

    def take(self, stored: ev.Stored) -> None:
        match stored.event:
            case ev.RecordingStarted() as event:
                self.started, self.started_s = event, stored.time_s
            case ev.RecordingEnded() as event:
                self.ended, self.ended_s = event, stored.time_s


@dataclass
class TurnState:
    """One turn, in its latest attempt. ``time_s``: when its utterance, else its first sentence, was stored.

    ``confirmation`` of a guess, and when it was stored (``confirmed_s``); a turn without a guess was ``confirmed`` from
    the beginning. ``before``: the last attempt that was no guess, whose words are a part of this one's.
    ``earlier``: what tools were called for in attempts that were withdrawn. They did it all the same.
    """

    number: int
    attempt: int = 0
    time_s: float = 0.0
    utterance: ev.Utterance | None = None
    confirmed: bool = True
    confirmation: ev.UtteranceConfirmed | None = None
    confirmed_s: float = 0.0
    before: ev.Utterance | None = None
    withdrawn: bool = False
    sentences: dict[int, SentenceState] = field(default_factory=dict)
    reply_ended: ev.ReplyEnded | None = None
    interrupted: ev.Interrupted | None = None
    tools_called: dict[int, ev.ToolCalled] = field(default_factory=dict)
    tools_returned: dict[int, ev.ToolReturned] = field(default_factory=dict)
    earlier: list[ToolUse] = field(default_factory=list)

    @property
    def heard_text(self) -> str:
        """What of the reply the caller heard."""
        parts = (s.heard_text for _, s in sorted(self.sentences.items()))
        return " ".join(part for part in parts if part)

    @property
    def notice(self) -> list[SentenceState]:
        """The sentences that say that the call is recorded."""
        return [sentence for sentence in self.sentences.values() if sentence.event.notice]

    @property
    def notified(self) -> bool:
        """The caller has heard all of that, which took time."""
        notice = self.notice
        ends = any(sentence.event.notice == "end" for sentence in notice)
        heard = [sentence.heard for sentence in notice if sentence.heard is not None]
        return ends and len(heard) == len(notice) and all(h.complete and h.played_ms > 0 for h in heard)

    @property
    def for_machine(self) -> bool:
        """What is said in it is for a machine that answered."""
        return self.utterance is not None and self.utterance.ended_by == "machine"

    @property
    def replied(self) -> bool:
        """Nothing more will be said in this turn: it ended, or was cut, or withdrawn."""
        return self.withdrawn or self.interrupted is not None or self.reply_ended is not None

    @property
    def played(self) -> bool:
        """The reply ended and every sentence of it has its verdict."""
        if self.withdrawn or self.interrupted is not None:
            return True
        return self.reply_ended is not None and all(s.verdict for s in self.sentences.values())

    def tools(self) -> list[ToolUse]:
        """Of the latest attempt, in the order of their calls."""
        return [
            ToolUse(called, self.tools_returned.get(i)) for i, called in sorted(self.tools_called.items())
        ]

    def uses(self) -> list[ToolUse]:
        """Of all attempts."""
        return [*self.earlier, *self.tools()]

    def take_tool(self, event: ev.ToolCalled | ev.ToolReturned) -> bool:
        """Of an attempt that was withdrawn, only what came of a call that is known."""
        if event.attempt == self.attempt:
            match event:
                case ev.ToolCalled():
                    self.tools_called[event.index] = event
                case ev.ToolReturned():
                    self.tools_returned[event.index] = event
            return True
        key = (event.attempt, event.index)
        for use in self.earlier:
            if isinstance(event, ev.ToolReturned) and (use.called.attempt, use.called.index) == key:
                use.returned = event
                return True
        return False

    def unplayed(self) -> list[SentenceState]:
        """Sentences that a caller has still to hear, in order."""
        if self.withdrawn or self.interrupted is not None:
            return []
        return [s for _, s in sorted(self.sentences.items()) if s.verdict is None]
