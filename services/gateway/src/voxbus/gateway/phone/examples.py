"""What one can say to an agent, by its own grammar: the built-in recognizer understands nothing else."""

from __future__ import annotations

import random
import re
from typing import Final

from voxbus.common.agents import Agent, Intent
from voxbus.common.jsgf import Grammar, parse, parse_expansion

#: More than these nobody reads before a call.
MOST: Final = 10

#: Of so many phrases drawn from an intent the one is shown whose length is nearest to what people say.
_DRAWN: Final = 40
_WORDS: Final = 4
#: What a grammar may let through and nobody says: "move it to on Friday".
_AWKWARD: Final = re.compile(r"\b(to|for) (on|at)\b")

_RULE: Final = re.compile(r"<([\w.-]+)>")


def examples(agent: Agent) -> tuple[str, ...]:
    """A phrase for each thing that may be said at the start, in the order of the dialogue; empty = no grammar.

    The same for the same agent, always.
    """
    if not agent.grammar:
        return ()
    grammar = parse(agent.grammar)
    first = [intent for intent in agent.dialogue.intents if _is_for_people(intent, agent.dialogue.start)]
    if not first:
        return _spread(grammar, agent.name)
    # Several intents may begin alike (move to a day, to a time, to both): one of them is enough to know.
    alike: dict[str, Intent] = {}
    for intent in first:
        for phrase in intent.phrases[:1]:
            rule = _RULE.search(phrase)
            alike.setdefault(rule[1] if rule else phrase, intent)
    return tuple(dict.fromkeys(_example(grammar, intent) for intent in alike.values()))[:MOST]


def keys(agent: Agent) -> dict[str, str]:
    """Each key that means something, with the name of the intent that it stands for."""
    found: dict[str, str] = {}
    for intent in agent.dialogue.intents:
        if not intent.state or agent.dialogue.start in intent.state:
            for key in intent.keys:
                found.setdefault(key, intent.name.replace("_", " "))
    return dict(sorted(found.items()))


def _is_for_people(intent: Intent, start: str) -> bool:
    return not intent.screener and (not intent.state or start in intent.state)


def _example(grammar: Grammar, intent: Intent) -> str:
    chance = random.Random(intent.name)
    node = parse_expansion(intent.phrases[0], grammar)
    drawn = [grammar.sample(node, chance) for _ in range(_DRAWN)]
    return min(drawn, key=lambda phrase: (bool(_AWKWARD.search(phrase)), abs(len(phrase.split()) - _WORDS)))


def _spread(grammar: Grammar, name: str) -> tuple[str, ...]:
    """Of a grammar without a dialogue (a model answers) whatever chance brings."""
    chance = random.Random(name)
    node = grammar.rules[grammar.public]
    return tuple(dict.fromkeys(grammar.sample(node, chance) for _ in range(MOST)))
