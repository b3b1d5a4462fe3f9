"""A caller who asks one question after another until the time is over, and then says goodbye."""

from __future__ import annotations

from pathlib import Path
from random import Random

from voxbus.common.agent_files import load_agent
from voxbus.devkit.caller import Caller, ScriptFailed
from voxbus.devkit.chaos.facts import Asked, By, Question
from voxbus.devkit.speech import speak

AGENTS = Path(__file__).parent / "agents"
AGENT = "information"
_GOODBYE = "goodbye"

#: A silence that is longer is the end of the answer: so a pause that a death makes is part of it.
QUIET_MS = 2000
#: Nobody waits longer for an answer before asking again.
PATIENCE_S = 10.0
_HANGUP_S = 10.0
_GOODBYES = 3


def questions() -> tuple[list[Question], Question]:
    """What can be asked of the agent, and how to say goodbye."""
    agent = load_agent(AGENTS / f"{AGENT}.yaml")
    found = []
    for intent in agent.dialogue.intents:
        rule = intent.phrases[0].strip("<>")
        words = agent.grammar.split(f"<{rule}> = ")[1].split(";")[0]
        found.append(Question(intent.name, words, intent.keys[0]))
    return [q for q in found if q.name != _GOODBYE], next(q for q in found if q.name == _GOODBYE)


def rehearse() -> None:
    """Synthesizes everything ahead: done in a call it would hold up all the others."""
    asked, goodbye = questions()
    for question in (*asked, goodbye):
        speak(question.words)


class Asker:
    """``talk_s``: how long it asks. ``spoken``: the share of the questions that it speaks; it presses keys for the
    others. ``problem``: what made the call a lost one, empty = nothing."""

    def __init__(self, talk_s: float, spoken: float, seed: int) -> None:
        self._talk_ms = talk_s * 1000
        self._spoken = spoken
        self._random = Random(seed)
        self._questions, self._goodbye = questions()
        self.asked: list[Asked] = []
        self.problem = ""

    async def script(self, caller: Caller) -> None:
        try:
            await self._talk(caller)
        except ScriptFailed as failure:
            self.problem = str(failure)

    async def _talk(self, caller: Caller) -> None:
        await caller.listen(quiet_ms=QUIET_MS)
        while caller.now_ms < self._talk_ms:
            await self._ask(caller, self._random.choice(self._questions))
            await caller.wait(self._random.uniform(0, 500))
        await self._take_leave(caller)

    async def _ask(self, caller: Caller, question: Question) -> None:
        by: By = "voice" if self._random.random() < self._spoken else "key"
        for again in (False, True, True):
            self.asked.append(await self._utter(caller, question, by, again=again))
            if await self._answered(caller):
                return
        raise ScriptFailed("nobody answered a question that was asked three times")

    async def _take_leave(self, caller: Caller) -> None:
        for again in range(_GOODBYES):
            self.asked.append(await self._utter(caller, self._goodbye, "key", again=again > 0))
            try:
                await caller.expect_hangup(timeout_s=_HANGUP_S)
            except ScriptFailed:
                continue
            return
        raise ScriptFailed("the agent did not hang up")

    async def _utter(self, caller: Caller, question: Question, by: By, *, again: bool) -> Asked:
        if by == "voice":
            said = await caller.say(speak(question.words))
            return Asked(question, by, said.start_ms, said.end_ms, again)
        at_ms = caller.now_ms
        await caller.press(question.key)
        return Asked(question, by, at_ms, at_ms, again)

    async def _answered(self, caller: Caller) -> bool:
        try:
            await caller.listen(quiet_ms=QUIET_MS, timeout_s=PATIENCE_S)
        except ScriptFailed:
            if caller.over:
                raise
            return False
        return True
