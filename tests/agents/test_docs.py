"""The example of docs/agents.md is a dialogue that works."""

from __future__ import annotations

import re
from pathlib import Path

from voxbus.common.agent_files import parse_agent

PAGE = Path(__file__).parents[2] / "docs" / "agents.md"
HEAD = "name: pizza\nprompt: You sell pizza.\nlines: {greeting: Hello.}\n"


def test_the_example_is_an_agent() -> None:
    example = re.search(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert example is not None
    agent = parse_agent(HEAD + example[1], "docs/agents.md")
    assert [intent.name for intent in agent.dialogue.intents] == ["ordered", "order"]
