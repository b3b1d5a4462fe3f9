"""What is wrong with an agent definition beyond its types: the checks of a file when it is loaded."""

from __future__ import annotations

from collections.abc import Iterator

from voxbus.common import jsgf
from voxbus.common.agent_texts import PLACEHOLDER, own_names, texts
from voxbus.common.agents import Agent, Intent, Reply
from voxbus.common.errors import AgentError
from voxbus.common.tools.checks import reply_problems, tool_problems


def problems(agent: Agent) -> Iterator[tuple[str, str]]:
    """(field, what is wrong and what to do) for what the types cannot say."""
    yield from _placeholder_problems(agent)
    if agent.machine_detection == "leave_message" and not agent.lines.voicemail:
        yield "lines.voicemail", "is missing; machine_detection: leave_message needs the message"
    if agent.lines.voicemail and agent.machine_detection != "leave_message":
        yield "lines.voicemail", "is never said; set machine_detection: leave_message"
    if agent.recording and not agent.lines.recording_notice.strip():
        yield "lines.recording_notice", "is missing; with recording: true callers must be told"
    if agent.lines.recording_notice and not agent.recording:
        yield "lines.recording_notice", "is said and nothing is recorded; set recording: true"
    yield from tool_problems(agent)
    grammar = jsgf.Grammar()
    if agent.grammar:
        try:
            grammar = jsgf.parse(agent.grammar)
        except AgentError as error:
            yield "grammar", str(error)
            return
    for slot in sorted(agent.dialogue.slots.keys() - grammar.rules.keys()):
        yield f"dialogue.slots.{slot}", f"a slot is a rule of the grammar; define <{slot}> there"
    yield from _dialogue_problems(agent, grammar)


def _placeholder_problems(agent: Agent) -> Iterator[tuple[str, str]]:
    own = own_names(agent.dialogue)
    for name in sorted(own & agent.variables.keys()):
        yield f"variables.{name}", f"a slot or memory of the dialogue is called {name!r} too; rename one"
    for field, text in texts(agent):
        for name in PLACEHOLDER.findall(text):
            if name in own and not field.startswith("dialogue"):
                yield field, f"{{{name}}} belongs to the dialogue and is known only there; use a variable"


def _dialogue_problems(agent: Agent, grammar: jsgf.Grammar) -> Iterator[tuple[str, str]]:
    dialogue = agent.dialogue
    states = {
        dialogue.start,
        *(intent.reply.expect for intent in dialogue.intents),
        dialogue.otherwise.expect,
    }
    seen: set[str] = set()
    yield from _reply_problems(agent, "dialogue.otherwise", dialogue.otherwise)
    for intent in dialogue.intents:
        at = f"dialogue.intents.{intent.name}"
        if intent.name in seen:
            yield at, "two intents have this name"
        seen.add(intent.name)
        if not intent.phrases and not intent.keys:
            yield at, "nothing leads to it; give it phrases or keys"
        for state in intent.state:
            if state not in states:
                known = ", ".join(sorted(filter(None, states)))
                yield f"{at}.state", f"no reply expects {state!r}; the states are {known}"
        for phrase in intent.phrases:
            try:
                jsgf.parse_expansion(phrase, grammar)
            except AgentError as error:
                yield f"{at}.phrases", f"{phrase!r}: {error}"
        yield from _reply_problems(agent, f"{at}.reply", intent.reply)
        yield from _screener_problems(agent, at, intent)


def _screener_problems(agent: Agent, at: str, intent: Intent) -> Iterator[tuple[str, str]]:
    """A screener is answered before anything was said: what the reply needs must be known by then."""
    if not intent.screener:
        return
    if not intent.phrases:
        yield f"{at}.screener", "a screener speaks; give the intent phrases"
    if intent.screener == "answer":
        if not intent.reply.say:
            yield f"{at}.reply.say", "is the answer to a screener; say who calls, and why"
        for name in PLACEHOLDER.findall(intent.reply.say):
            if name in agent.dialogue.slots:
                yield f"{at}.reply.say", f"a screener is answered before {{{name}}} is known; use a variable"


def _reply_problems(agent: Agent, at: str, reply: Reply) -> Iterator[tuple[str, str]]:
    for name in sorted(reply.remember.keys() - agent.dialogue.memory.keys()):
        yield f"{at}.remember.{name}", "not in dialogue.memory; give it a first value there"
    if not reply.say and not reply.action:
        yield at, "says nothing and does nothing; give it say, or an action"
    if reply.action == "transfer_call" and reply.target not in agent.transfer_targets:
        known = ", ".join(sorted(agent.transfer_targets)) or "none yet"
        yield f"{at}.target", f"{reply.target!r} is not among transfer_targets ({known})"
    yield from reply_problems(agent, at, reply)
