"""The scripted dialogue: what the agent answers is a function of everything that the caller said, and of nothing else.

No state is kept: the conversation so far is replayed from its utterances, so that any worker comes to the same reply.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from voxbus.common import jsgf
from voxbus.common.agents import Agent, Dialogue, Intent, Reply
from voxbus.common.speech import for_ear
from voxbus.llm.core_trail import ToolAnswer

_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_HYPHENATED = frozenset({"uh-huh", "mm-hm"})
_NOT_WORDS = frozenset({"um", "uh", "er", "erm", "ah"})


@dataclass(frozen=True)
class Said:
    """One utterance; ``keys``: its text is digits that were pressed. ``answers``: what tools answered to it."""

    text: str
    keys: bool = False
    answers: Mapping[str, ToolAnswer] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What the agent does. ``intent`` is empty when nothing matched. ``arguments``: of the tool of the reply; None = it
    has none, or it has answered.
    """

    say: str
    reply: Reply = field(default_factory=Reply)
    intent: str = ""
    arguments: Mapping[str, str] | None = None


@dataclass
class _State:
    name: str
    known: dict[str, str] = field(default_factory=dict)
    last_said: str = ""


def answer(agent: Agent, conversation: Iterable[Said], tools: Collection[str] = ()) -> Answer:
    """The answer to the last of ``conversation``; to none at all, the greeting. ``tools``: that can be called."""
    dialogue = agent.dialogue
    state = _State(dialogue.start, dict(dialogue.memory), agent.lines.greeting)
    given = Answer(agent.lines.greeting)
    for said in conversation:
        given = _step(agent, state, said)
    return given if given.reply.tool in tools else replace(given, arguments=None)


def _step(agent: Agent, state: _State, said: Said) -> Answer:
    name, reply, known = _choose(agent, state, said)
    arguments = {key: _fill(text, known) for key, text in reply.arguments.items()} if reply.tool else None
    text = reply.say
    if (answered := said.answers.get(reply.tool)) is not None:
        arguments = None
        if answered.ok:
            known |= {
                key: answered.fields[name] for key, name in reply.learn.items() if name in answered.fields
            }
        else:
            text = reply.failed or text
    say = _fill(text, known)
    state.known = known | {key: _fill(text, known) for key, text in reply.remember.items()}
    state.name = reply.expect or state.name
    if reply.action == "repeat":
        say = " ".join(filter(None, (say, state.last_said)))
    else:
        state.last_said = say
    return Answer(say, reply, name, arguments)


def _choose(agent: Agent, state: _State, said: Said) -> tuple[str, Reply, dict[str, str]]:
    """The intent that counts, and everything that is known once it does. A state's own intents come first."""
    dialogue = agent.dialogue
    words = normalize(said.text)
    own = (intent for intent in dialogue.intents if state.name in intent.state)
    general = (intent for intent in dialogue.intents if not intent.state)
    for intent in (*own, *general):
        slots = _match(agent, intent, said, words)
        if slots is not None:
            known = state.known | _values(dialogue, slots)
            if known.keys() >= set(_PLACEHOLDER.findall(intent.reply.say)):
                return intent.name, intent.reply, known
    return "", dialogue.otherwise, dict(state.known)


def _match(agent: Agent, intent: Intent, said: Said, words: tuple[str, ...]) -> jsgf.Slots | None:
    if said.keys:
        return {} if said.text in intent.keys else None
    slots = frozenset(agent.dialogue.slots)
    for phrase in intent.phrases:
        found = _match_phrase(agent.grammar, phrase, words, slots)
        if found is not None:
            return found
    return None


def contains(agent: Agent, intent: Intent, text: str) -> bool:
    """Whether a phrase of the intent is somewhere in ``text``."""
    words, grammar = normalize(text), _grammar(agent.grammar)
    return any(grammar.within(_expansion(agent.grammar, phrase), words) for phrase in intent.phrases)


def first_line(agent: Agent, intent: Intent) -> str:
    """What the intent says before anything was said: memory has its first values, slots have none."""
    return _fill(intent.reply.say, agent.dialogue.memory)


def _values(dialogue: Dialogue, slots: Mapping[str, str]) -> dict[str, str]:
    return {name: dialogue.slots[name].get(words, words) for name, words in slots.items()}


def _fill(text: str, known: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: known.get(found.group(1), ""), text)


@lru_cache(maxsize=20_000)
def normalize(text: str) -> tuple[str, ...]:
    """The words of an utterance as a grammar has them: lower case, numbers in words, no punctuation."""
    said = for_ear(text).lower().replace("’", "'")
    said = said.replace("a.m.", "in the morning").replace("p.m.", "in the afternoon")
    tokens = re.findall(r"[^\W_]+(?:['-][^\W_]+)*", said)
    words = (word for token in tokens for word in ([token] if token in _HYPHENATED else token.split("-")))
    return tuple(word for word in words if word not in _NOT_WORDS)


# A conversation is replayed each turn: what was matched once is known. Texts of other agents push old ones out.
@lru_cache(maxsize=64)
def _grammar(text: str) -> jsgf.Grammar:
    return jsgf.parse(text)


@lru_cache(maxsize=2048)
def _expansion(grammar: str, phrase: str) -> jsgf.Node:
    return jsgf.parse_expansion(phrase, _grammar(grammar))


@lru_cache(maxsize=20_000)
def _match_phrase(
    grammar: str, phrase: str, words: tuple[str, ...], slots: frozenset[str]
) -> jsgf.Slots | None:
    return _grammar(grammar).match(_expansion(grammar, phrase), words, slots)
