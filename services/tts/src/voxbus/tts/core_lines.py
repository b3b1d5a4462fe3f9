"""The fixed lines of an agent: what can be rendered before anybody calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from voxbus.common.agent_texts import PLACEHOLDER
from voxbus.common.agents import Agent
from voxbus.common.speech import spoken


def sentences_to_render(agent: Agent) -> tuple[str, ...]:
    """The sentences of the agent's lines, as LLM workers and gateways ask for them, in the order of need.

    That is what a call begins with first, then what the gateway plays when others fail.
    """
    said = (sentence for line in _fixed_lines(agent) for sentence in spoken(line, agent.language))
    return tuple(dict.fromkeys(said))


def _fixed_lines(agent: Agent) -> Iterator[str]:
    lines = agent.lines
    for line in (
        lines.recording_notice,
        lines.greeting,
        lines.fallback,
        *lines.fillers,
        lines.no_capacity,
        *lines.no_words,
        *lines.no_input,
        lines.goodbye,
        lines.voicemail,
        *(tool.meanwhile for tool in agent.tools),
    ):
        filled = _fill(line, agent.variables)
        if not PLACEHOLDER.search(filled):
            yield filled


def _fill(line: str, variables: Mapping[str, str]) -> str:
    """With the defaults of the variables, which is what most calls have; a call that has others costs a synthesis."""
    return PLACEHOLDER.sub(lambda found: variables.get(found.group(1), found.group()), line)
