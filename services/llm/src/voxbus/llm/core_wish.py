"""Whether somebody wants no more calls, where no whole reply tells: the script is looked at, and a model is asked.

A model is asked this and nothing else. It hears the call as in any other turn; nobody hears what it answers.
"""

from __future__ import annotations

from typing import Final

from voxbus.common.events import Utterance
from voxbus.common.fold import CallState
from voxbus.llm.core_chat import Message
from voxbus.llm.core_dialogue import Said, answer
from voxbus.llm.core_messages import conversation, messages
from voxbus.llm.core_opening import opening

QUESTION: Final = (
    "Nobody hears you any more, so say nothing to the caller. Only one thing is left to find out: if the caller's last"
    " words say that they do not want to be called again, call do_not_call, else answer with the one word no."
)


def is_unheard(job: Utterance, state: CallState) -> bool:
    """Whether the words of ``job`` may hold a wish that no whole reply has looked for.

    What was withdrawn is said again as a part of more, and so is a guess that the call has passed by undecided.
    Machines and call screeners wish for nothing.
    """
    turn = state.turns.get(job.turn)
    if turn is None or turn.utterance != job or turn.withdrawn or not job.text:
        return False
    if state.started is None or state.to_machine:
        return False
    if turn.reply_ended is not None and turn.reply_ended.reason == "complete":
        return False
    undecided = not turn.confirmed and state.ended is None
    if undecided and job.turn < state.latest_turn:
        return False
    return opening(state).get(job.turn, "greet") == "greet"


def in_script(state: CallState, turn: int) -> bool:
    """Whether the agent's dialogue takes what was said in ``turn`` for such a wish."""
    assert state.started is not None
    said = conversation(state, turn)
    utterance = state.turns[turn].utterance
    if turn in opening(state) and utterance is not None:
        said = (Said(utterance.text),)  # what the greeting answers is no part of the dialogue
    return bool(said) and answer(state.started.agent, said).reply.action == "do_not_call"


def question(state: CallState, turn: int) -> tuple[Message, ...]:
    return (*messages(state, turn), Message("system", QUESTION))
