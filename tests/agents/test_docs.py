"""The example of docs/agents.md is a dialogue that works."""

from __future__ import annotations

import re
from pathlib import Path

from voxbus.common.agent_files import parse_agent

PAGE = Path(__file__).parents[2] / "docs" / "agents.md"
HEAD = "name: pizza\nprompt: You sell pizza.\nlines: {greeting: Hello.}\n"


EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def test_the_example_is_an_agent() -> None:
    agent = parse_agent(HEAD + EXAMPLES[0], "docs/agents.md")
    assert [intent.name for intent in agent.dialogue.intents] == ["ordered", "order"]


def test_the_intents_for_a_screener_are_intents() -> None:
    agent = parse_agent(f"{HEAD}dialogue:\n{EXAMPLES[3]}", "docs/agents.md")
    assert [intent.screener for intent in agent.dialogue.intents] == ["answer", "wait"]


def test_the_tool_and_the_dialogue_that_calls_it_belong_together() -> None:
    grammar = "grammar: '#JSGF V1.0; grammar pizza; public <utterance> = when is my appointment;'\n"
    agent = parse_agent(HEAD + grammar + EXAMPLES[1] + EXAMPLES[2], "docs/agents.md")
    assert agent.dialogue.intents[0].reply.tool == agent.tools[0].name
