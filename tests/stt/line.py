"""A caller and an agent on virtual time: probabilities in, decisions out."""

from __future__ import annotations

from collections.abc import Iterable

from voxbus.common import events as ev
from voxbus.common.agents import Agent, Lines, Voice
from voxbus.common.events import Event, Stored
from voxbus.common.fold import CallState
from voxbus.stt.core_outputs import FinishRecognition, Output
from voxbus.stt.core_rules import Rules
from voxbus.stt.core_speech import WINDOW_MS, Window
from voxbus.stt.core_turns import TurnTaker

SID = "CA" + "1" * 32
AGENT = Agent(name="a", prompt="p", lines=Lines(greeting="Hello."))


class Line:
    """A caller and an agent. Recognitions return what ``words`` says, at once."""

    def __init__(self, direction: ev.Direction = "inbound", **rules: object) -> None:
        self.state = CallState()
        self.rules = Rules(backchannels=("mm-hm", "yeah"), **rules)  # type: ignore[arg-type]
        self.now_ms = 0
        self.call_s = 0.0
        self.words: list[str] = []
        self.outputs: list[Output] = []
        self.audible = (0, 0)
        self.deaf = False  # recognitions are not answered
        self.log(ev.Started(call=SID, stream_sid="M", session="s", direction=direction, agent=AGENT))
        self.log(ev.Attached(call=SID, worker="w", nonce="n"))
        self.taker = TurnTaker(SID, self.state.holder, self.rules, self.state)

    def log(self, event: Event) -> None:
        self.state.apply(Stored(self.state.sequence + 1, 0.0, event))

    def hear(self, *probabilities: float, ms: int = 0) -> Line:
        """Windows of these probabilities, or one repeated for ``ms``."""
        windows: Iterable[float] = probabilities
        if ms:
            windows = [probabilities[0]] * (ms // WINDOW_MS)
        for probability in windows:
            turn, sentence = self.audible
            window = Window(probability, self.now_ms, self.now_ms + WINDOW_MS, turn, sentence)
            self.now_ms += WINDOW_MS
            self.take(self.taker.window(window, self.call_s))
        return self

    def silence(self, ms: int) -> Line:
        return self.hear(0.01, ms=ms)

    def speech(self, ms: int, words: str | None = None, probability: float = 0.95) -> Line:
        if words is not None:
            self.words.append(words)
        return self.hear(probability, ms=ms)

    def take(self, outputs: list[Output]) -> None:
        for output in outputs:
            self.outputs.append(output)
            if isinstance(output, Event):
                self.log(output)
            if isinstance(output, FinishRecognition) and not self.deaf:
                self.take(self.taker.transcript(self.words.pop(0) if self.words else "", 0.9, 20.0))

    def agent_says(self, turn: int, *texts: str, audible: int | None = 0) -> Line:
        for index, text in enumerate(texts):
            self.log(ev.Sentence(call=SID, turn=turn, index=index, text=text, voice=Voice()))
        self.log(ev.ReplyEnded(call=SID, turn=turn, sentences=len(texts), reason="complete"))
        self.audible = (turn, audible) if audible is not None else (0, 0)
        return self

    def agent_heard(self, turn: int, count: int) -> Line:
        self.audible = (0, 0)
        for index in range(count):
            self.log(
                ev.Heard(
                    call=SID,
                    stream_sid="M",
                    turn=turn,
                    sentence=index,
                    complete=True,
                    played_ms=100,
                    text="",
                    known_by="mark",
                )
            )
        return self

    def greeted(self) -> Line:
        """The greeting was said and heard."""
        return self.agent_says(1, "Hello.").silence(320).agent_heard(1, 1).silence(640)

    def taken_over(self) -> Line:
        """Another holder goes on from the log; only its outputs count from here on."""
        self.log(ev.Attached(call=SID, worker="v", nonce="m"))
        self.taker = TurnTaker(SID, self.state.holder, self.rules, self.state)
        self.outputs = []
        return self

    def replay(self, from_ms: int) -> Line:
        self.now_ms = from_ms
        return self

    def all(self, kind: type[Event]) -> list[Event]:
        return [o for o in self.outputs if isinstance(o, kind)]

    @property
    def utterances(self) -> list[ev.Utterance]:
        return [o for o in self.outputs if isinstance(o, ev.Utterance) and not o.backchannel]

    @property
    def backchannels(self) -> list[ev.Utterance]:
        return [o for o in self.outputs if isinstance(o, ev.Utterance) and o.backchannel]
