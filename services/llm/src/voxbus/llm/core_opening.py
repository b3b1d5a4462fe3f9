"""How an outbound call begins. The callee speaks first, and the greeting answers, whatever it was.

the callee                                        what is done
------------------------------------------------  ------------------------------------------------------
says anything, or nothing for 1.5 s               the greeting
is a screener that asks who calls                 who and why: the reply of that intent; then the greeting waits
... and says that it puts the call through        nothing is said
... and then anything else is said, or nothing    the greeting: now it is the person
says something without words after the greeting,
and it was cut, or the call screened              the greeting again, three times in all at most

It is a function of what was said, so any worker comes to the same turn for the greeting.
"""

from __future__ import annotations

from typing import Final, Literal

from voxbus.common.agents import Agent, Intent
from voxbus.common.events import Utterance
from voxbus.common.fold import CallState
from voxbus.llm.core_dialogue import contains, first_line

Step = Literal["greet", "answer", "wait"]

#: Somebody who has heard the greeting so often, and still says nothing with words, is asked to say it again.
GREETINGS: Final = 3


def opening(state: CallState) -> dict[int, Step]:
    """What is done in the turns that belong to the opening, by their number. An inbound call has none."""
    assert state.started is not None
    if state.started.direction == "inbound":
        return {}
    agent = state.started.agent
    steps: dict[int, Step] = {}
    for utterance in state.utterances():
        if utterance.ended_by in ("time_limit", "machine"):
            break
        step = _again(state, utterance, steps) if "greet" in steps.values() else _first(agent, utterance)
        if step is None:
            break
        steps[utterance.turn] = step
    return steps


def introduction(agent: Agent, text: str) -> str:
    """Who calls and why: the answer to a screener that said ``text``."""
    intent = _screener(agent, text)
    return first_line(agent, intent) if intent is not None else agent.lines.greeting


def _screener(agent: Agent, text: str) -> Intent | None:
    """The intent for what a call screener says, if ``text`` has it in it: screeners are polite and say more."""
    intents = (intent for intent in agent.dialogue.intents if intent.screener)
    return next((intent for intent in intents if contains(agent, intent, text)), None)


def _first(agent: Agent, utterance: Utterance) -> Step:
    intent = _screener(agent, utterance.text)
    return "greet" if intent is None else intent.screener or "greet"


def _again(state: CallState, utterance: Utterance, steps: dict[int, Step]) -> Step | None:
    if utterance.text or utterance.ended_by == "no_input":
        return None
    greeted = [turn for turn, step in steps.items() if step == "greet"]
    was_cut = state.turns[greeted[-1]].interrupted is not None
    screened = len(greeted) < len(steps)
    return "greet" if len(greeted) < GREETINGS and (was_cut or screened) else None
