"""What to do with a job: pure decisions over the log.

job                                             what is done
----------------------------------------------  -----------------------------------------------------------
older than 15 s, or the call has ended          nothing; a guess ages once it is confirmed
not in the fold (void), withdrawn, superseded   nothing
its reply has ended already                     nothing
started, inbound                                the greeting, 250 ms after the event
started, outbound                               nothing: the callee speaks first
first utterances of an outbound call            the greeting, and what precedes it: see core_opening
... which say that they want no more calls      the agent's do_not_call line, hang up
words without a whole answer, of all of these   nothing is said; whether they want no more calls is found out: Listen
backchannel                                     nothing
time limit                                      goodbye, hang up
a machine is through with its greeting          the agent's message, where it leaves one; hang up
nobody spoke, for the first and second time     the agent's no_input lines
nobody spoke, again                             goodbye, hang up
speech without words                            the agent's no_words lines
words                                           a provider is asked

An agent that records begins with the notice that it does, before the greeting or whatever it says first to a person,
and again until it was heard to its end. What machines, call screeners and calls that end are told has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from voxbus.common.agents import Agent
from voxbus.common.events import Started, Utterance
from voxbus.common.fold import CallState
from voxbus.llm.core_messages import silences
from voxbus.llm.core_opening import introduction, opening
from voxbus.llm.core_wish import in_script, is_unheard

MAX_AGE_S: Final = 15.0
#: So that the first word is not lost while the line opens.
GREETING_DELAY_S: Final = 0.25
#: The caller is asked this often whether anybody is there.
REPROMPTS: Final = 2

#: Why the agent hangs up on who wants no more calls.
NEVER_AGAIN: Final = "do_not_call"

SkipReason = Literal["stale", "ended", "void", "superseded", "answered", "outbound", "backchannel"]


@dataclass(frozen=True)
class Skip:
    reason: SkipReason


@dataclass(frozen=True)
class Say:
    """A line of the agent's own. ``hangup``: the reason for hanging up once it was heard. ``at_s``: not before.

    ``notice``: to be said before it.
    """

    turn: int
    attempt: int
    line: str
    hangup: str = ""
    at_s: float = 0.0
    notice: str = ""


@dataclass(frozen=True)
class Ask:
    """A provider answers. ``final``: False while the utterance is a guess: nothing may be done that has effects.

    ``notice``: to be said before.
    """

    turn: int
    attempt: int
    final: bool
    notice: str = ""


@dataclass(frozen=True)
class Listen:
    """Nothing is said any more; whether the caller wants no more calls is still found out.

    ``why``: nothing is said. After a long time it is left to the script (``models``): what came with it is a crowd,
    and who is on the line comes first.
    """

    turn: int
    attempt: int
    why: SkipReason

    @property
    def models(self) -> bool:
        return self.why != "stale"

    @property
    def after_failure(self) -> bool:
        return self.why == "answered"


Decision = Skip | Say | Ask | Listen


def decide(job: Started | Utterance, state: CallState, age_s: float) -> Decision:
    """``state``: the fold of the log as it is now, the job's own event included. ``age_s``: since it was stored."""
    decision = _decide(job, state, age_s)
    if isinstance(decision, Skip) and isinstance(job, Utterance) and is_unheard(job, state):
        return Listen(job.turn, job.attempt, decision.reason)
    return decision


def _decide(job: Started | Utterance, state: CallState, age_s: float) -> Decision:
    if age_s - _undecided_s(job, state, age_s) > MAX_AGE_S:
        return Skip("stale")
    if state.ended is not None:
        return Skip("ended")
    if state.started is None:
        return Skip("void")
    agent = state.started.agent
    return _greet(job, state, agent) if isinstance(job, Started) else _answer(job, state, agent)


def _undecided_s(job: Started | Utterance, state: CallState, age_s: float) -> float:
    """How long the words of ``job`` were a guess, to which nobody could have been told the answer."""
    turn = state.turns.get(job.turn) if isinstance(job, Utterance) else None
    if turn is None or turn.utterance != job:
        return 0.0
    if not turn.confirmed:
        return age_s
    return turn.confirmed_s - turn.time_s if turn.confirmed_s else 0.0


def _greet(job: Started, state: CallState, agent: Agent) -> Decision:
    if job.direction == "outbound":
        return Skip("outbound")
    if not state.is_current(1, 0):
        return Skip("superseded")
    greeted = state.turns.get(1)
    if greeted is not None and greeted.reply_ended is not None:
        return Skip("answered")
    at_s = state.started_s + GREETING_DELAY_S
    return Say(1, 0, agent.lines.greeting, at_s=at_s, notice=_notice(state, 1))


def _answer(job: Utterance, state: CallState, agent: Agent) -> Decision:
    if job.backchannel:
        return Skip("backchannel")
    turn = state.turns.get(job.turn)
    if not state.is_current(job.turn, job.attempt):
        return Skip("superseded")
    if turn is None or turn.utterance != job:
        return Skip("void")
    if turn.reply_ended is not None:
        return Skip("answered")
    say = Say(job.turn, job.attempt, "")
    to_person = replace(say, notice=_notice(state, job.turn))
    if job.ended_by == "time_limit":
        return _with(say, agent.lines.goodbye, "time_limit")
    if job.ended_by == "machine":
        leaves = agent.machine_detection == "leave_message" and state.answered_by != "fax"
        return _with(say, agent.lines.voicemail if leaves else "", "machine")
    match opening(state).get(job.turn):
        case "greet" if job.text and in_script(state, job.turn):
            return _with(say, agent.lines.do_not_call, NEVER_AGAIN)
        case "greet":
            return _with(to_person, agent.lines.greeting)
        case "answer":
            return _with(say, introduction(agent, job.text))
        case "wait":
            return say
    if job.text:
        return Ask(job.turn, job.attempt, final=turn.confirmed, notice=to_person.notice)
    if job.ended_by != "no_input":
        return _with(to_person, _nth(agent.lines.no_words, silences(state, job.turn, "no_words"), agent))
    asked = silences(state, job.turn, "no_input")
    if asked >= REPROMPTS:
        return _with(say, agent.lines.goodbye, "no_input")
    return _with(to_person, _nth(agent.lines.no_input, asked, agent))


def _notice(state: CallState, turn: int) -> str:
    """What must be said first in this turn. A worker that takes the turn over comes to the same."""
    assert state.started is not None
    agent, current = state.started.agent, state.turns.get(turn)
    begun_with_it = current is not None and bool(current.notice)
    return agent.lines.recording_notice if agent.recording and (begun_with_it or not state.notified) else ""


def _with(say: Say, line: str, hangup: str = "") -> Say:
    return replace(say, line=line, hangup=hangup)


def _nth(lines: Sequence[str], n: int, agent: Agent) -> str:
    """The last one again when there are not so many; something must be said in any case."""
    return lines[min(n, len(lines) - 1)] if lines else agent.lines.fallback
