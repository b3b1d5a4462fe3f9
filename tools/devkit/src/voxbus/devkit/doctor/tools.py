"""Whether the tools of the agents have what they need of the LLM worker's environment."""

from __future__ import annotations

from pathlib import Path

from voxbus.common.agent_files import load_agents
from voxbus.common.errors import AgentError
from voxbus.devkit.doctor.findings import Finding
from voxbus.llm.tools import Environment

_CAPABILITY = "tools"


def tools(directory: Path, environment: Environment) -> list[Finding]:
    """By the variables' names. Nothing where no agent has a tool; files that cannot be read are another finding."""
    try:
        agents = load_agents(directory).values()
    except AgentError:
        return []
    wrong = [problem for agent in agents for problem in environment.problems(agent)]
    if wrong:
        remedy = "until then LLM workers do not start, or that agent takes no calls; see docs/agents.md"
        return [Finding(_CAPABILITY, "broken", text, remedy) for text in wrong]
    declared = [(agent.name, tool) for agent in agents for tool in agent.tools]
    names = ", ".join(f"{tool.name} of {agent}" for agent, tool in declared if not environment.lacks(tool))
    found = [Finding(_CAPABILITY, "ok", names)] if names else []
    for agent, tool in declared:
        if environment.lacks(tool):
            text = f"{tool.name} of {agent} is not set up, which is optional"
            found.append(Finding(_CAPABILITY, "missing", text, f"set {', '.join(environment.of(tool))}"))
    return found
