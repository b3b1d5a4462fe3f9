"""``${NAME}`` in the tools of agents: from the worker's environment, or a file in ``SECRETS_DIR/tools``. Values stay
here. What else is in ``SECRETS_DIR`` is the services' own, such as a login.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voxbus.common.agent_files import load_agent
from voxbus.common.agents import Agent, Tool
from voxbus.common.errors import AgentError, SettingsError
from voxbus.common.settings import ServiceSettings
from voxbus.common.tools import template

#: A secret is no novel.
_MAX_BYTES: Final = 65536


@dataclass(frozen=True)
class Declared:
    """Where a tool goes, and with what of the environment."""

    method: str
    url: str
    headers: frozenset[tuple[str, str]]
    private: bool

    @classmethod
    def of(cls, tool: Tool) -> Declared:
        return cls(tool.method, tool.url, frozenset(tool.headers.items()), tool.private)


class Environment:
    """``own``: the names of the worker's own settings, which no tool may have: an agent file is read where calls come
    in, and must not be a way to the keys of this worker. ``files``: a folder of tools' secrets and nothing else.
    """

    def __init__(
        self, own: frozenset[str], files: Path | None = None, given: Mapping[str, str] = os.environ
    ) -> None:
        self._own = own
        self._files = files
        self._given = given

    @classmethod
    def of_worker(cls, settings: ServiceSettings) -> Environment:
        own = frozenset(name.upper() for name in type(settings).model_fields)
        return cls(own, settings.secrets_dir / "tools" if settings.secrets_dir else None)

    def get(self, name: str) -> str:
        """Empty = not set. Without the line end that a file may have."""
        if name in self._own:
            return ""
        value = self._given.get(name, "").strip()
        if value or self._files is None:
            return value
        try:
            return (self._files / name.lower()).read_text("utf-8")[:_MAX_BYTES].strip()
        except (OSError, UnicodeDecodeError):
            return ""

    def of(self, tool: Tool) -> dict[str, str]:
        return {name: self.get(name) for name in template.variables(tool)}

    def problem(self, tool: Tool) -> str:
        """What is wrong with what ``tool`` needs, by the variable's name and never its value; empty = nothing."""
        for name in template.variables(tool):
            if name in self._own:
                return f"{name} is the worker's own and goes to no tool; give the tool a variable of its own"
            if not self.get(name):
                advice = "set it, too" if tool.optional else "set it, or mark the tool optional: true"
                return f"{name} is not set; {advice}"
        try:
            template.check(tool, self.of(tool))
        except AgentError as error:
            return str(error)
        return ""

    def problems(self, agent: Agent) -> Iterator[str]:
        """Why the agent cannot take calls here. An optional tool of which nothing is set is no reason."""
        for tool in agent.tools:
            wrong = self.problem(tool)
            if wrong and (any(self.of(tool).values()) or not tool.optional):
                yield f"the tool {tool.name} of the agent {agent.name}: {wrong}"

    def lacks(self, tool: Tool) -> bool:
        return any(not value for value in self.of(tool).values())

    def declared(self, directory: Path) -> frozenset[Declared]:
        """What the agent files there ask, which is all that is asked. What is no agent is the gateway's care.

        Raises SettingsError when an agent there cannot take calls.
        """
        found: set[Declared] = set()
        wrong: list[str] = []
        for path in sorted(directory.glob("*.yaml")):
            try:
                agent = load_agent(path)
            except AgentError:
                continue
            wrong += self.problems(agent)
            found.update(map(Declared.of, agent.tools))
        if wrong:
            raise SettingsError("; ".join(wrong))
        return frozenset(found)
