"""The agents that ship: grammar and dialogue cover each other, and a recognizer knows every word."""

from __future__ import annotations

import json
import random
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from voxbus.common import jsgf
from voxbus.common.agent_files import SCHEMA_FILE, load_agents, resolve, schema
from voxbus.common.agent_texts import PLACEHOLDER
from voxbus.common.agents import Agent

AGENTS = Path(__file__).parents[2] / "agents"
SHIPPED = load_agents(AGENTS)


@pytest.fixture(params=sorted(SHIPPED))
def agent(request: pytest.FixtureRequest) -> Agent:
    return resolve(SHIPPED[request.param], {})


@pytest.fixture(scope="session")
def dictionary() -> frozenset[str]:
    """The words of PocketSphinx's US English model, from its data file (the package is not imported)."""
    spec = find_spec("pocketsphinx")
    assert spec is not None
    assert spec.origin is not None
    lines = (Path(spec.origin).parent / "model/en-us/cmudict-en-us.dict").read_text("utf-8").splitlines()
    return frozenset(line.split(maxsplit=1)[0] for line in lines if line)


@pytest.fixture(scope="session")
def decoder() -> Any:
    pocketsphinx = pytest.importorskip("pocketsphinx")
    return pocketsphinx.Decoder(lm=None, samprate=16000, loglevel="FATAL")


def test_the_personas_are_there() -> None:
    assert set(SHIPPED) == {"appointment_reminder", "kira", "account_exec", "marcus"}


def test_the_schema_is_the_models() -> None:
    written = json.loads((AGENTS / SCHEMA_FILE).read_text("utf-8"))
    assert written == schema(), "run: python -m voxbus.common.agent_files"


def test_every_word_of_the_grammar_is_in_the_dictionary(agent: Agent, dictionary: frozenset[str]) -> None:
    assert jsgf.parse(agent.grammar).words() - dictionary == set()


def test_pocketsphinx_takes_the_grammar(agent: Agent, decoder: Any) -> None:
    decoder.add_jsgf_string(agent.name, agent.grammar)
    decoder.activate_search(agent.name)
    assert decoder.current_search() == agent.name


def test_every_phrase_of_an_intent_is_in_the_grammar(agent: Agent) -> None:
    grammar = jsgf.parse(agent.grammar)
    rng = random.Random(1)
    for intent in agent.dialogue.intents:
        for text in intent.phrases:
            expansion = jsgf.parse_expansion(text, grammar)
            for _ in range(40):
                phrase = grammar.sample(expansion, rng)
                assert grammar.match(jsgf.Ref(grammar.public), tuple(phrase.split())) is not None, phrase


def test_every_phrase_of_the_grammar_is_an_intent_in_every_state(agent: Agent) -> None:
    """Also where slots are still empty: some intent must count that needs none but its own."""
    grammar = jsgf.parse(agent.grammar)
    rng = random.Random(1)
    keep = frozenset(agent.dialogue.slots)
    always = [
        (intent.reply.say, jsgf.parse_expansion(text, grammar))
        for intent in agent.dialogue.intents
        if not intent.state
        for text in intent.phrases
    ]
    for _ in range(500):
        phrase = grammar.sample(jsgf.Ref(grammar.public), rng)
        matches = ((say, grammar.match(expansion, tuple(phrase.split()), keep)) for say, expansion in always)
        assert any(slots is not None and not _unknown(agent, say, slots) for say, slots in matches), phrase


def _unknown(agent: Agent, say: str, slots: jsgf.Slots) -> bool:
    return any(f"{{{slot}}}" in say for slot in agent.dialogue.slots.keys() - slots.keys())


@pytest.mark.parametrize(
    "phrase",
    [
        "yes",
        "yes please",
        "that works",
        "i need to reschedule",
        "can we move it to tuesday at three",
        "tuesday at three",
        "could you repeat that",
        "what should i bring",
        "cancel my appointment please",
        "talk to a human",
        "no thank you goodbye",
        "please do not call me again",
        "stop calling me",
    ],
)
def test_what_callers_of_the_reminder_say(phrase: str) -> None:
    grammar = jsgf.parse(SHIPPED["appointment_reminder"].grammar)
    assert grammar.match(jsgf.Ref(grammar.public), tuple(phrase.split())) is not None


def test_the_grammar_is_compact(agent: Agent) -> None:
    """The more words a grammar has, the more of what is none of its phrases sounds like one of them."""
    assert len(jsgf.parse(agent.grammar).words()) <= 135


def test_says_of_itself_what_it_is(agent: Agent) -> None:
    said = " ".join([agent.lines.greeting, *(intent.reply.say for intent in agent.dialogue.intents)])
    assert "automated" in agent.lines.greeting
    assert "script" in said


def test_every_line_is_for_the_ear(agent: Agent) -> None:
    dialogue, lines = agent.dialogue, agent.lines
    said = [lines.greeting, lines.fallback, lines.goodbye, *lines.no_words, *lines.no_input, *lines.fillers]
    said += [intent.reply.say for intent in dialogue.intents] + [dialogue.otherwise.say]
    for text in said:
        spoken = PLACEHOLDER.sub("", text)
        assert not any(character.isdigit() or character in "*#_/<>[]{}$%&" for character in spoken), text
