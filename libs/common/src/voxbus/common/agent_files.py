"""Agent definitions in files: YAML in, ``Agent`` out, strictly.

A definition that travels in an event ignores what it does not know; a file that a person wrote does not: an unknown
field, a placeholder without a value, an intent whose words the grammar does not have are errors that name the file, the
field and what to do.

    python -m voxbus.common.agent_files [agents/]      check every file, write agents/agent.schema.json
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from voxbus.common.agent_checks import problems
from voxbus.common.agent_texts import resolve
from voxbus.common.agents import Agent
from voxbus.common.errors import AgentError

__all__ = ["SCHEMA_FILE", "load_agent", "load_agents", "parse_agent", "resolve", "schema"]

SCHEMA_FILE = "agent.schema.json"

#: The largest of ours has 10,000.
MAX_CHARACTERS = 1_000_000

#: What PyYAML's constructors raise themselves, or do not catch, for a value that is not what its tag says.
_LET_OUT = (ValueError, TypeError, LookupError, AttributeError, RecursionError)


def load_agents(directory: Path) -> dict[str, Agent]:
    """Every ``*.yaml`` in ``directory``, by agent name. Raises AgentError for the first that cannot be used."""
    files = sorted(directory.glob("*.yaml")) if directory.is_dir() else []
    if not files:
        raise AgentError(f"{directory}: no agent definitions (*.yaml) there; is AGENTS_DIR right?")
    agents = (load_agent(path) for path in files)
    return {agent.name: agent for agent in agents}


def load_agent(path: Path) -> Agent:
    """The definition in one file, checked. The file is named after the agent. Raises AgentError."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AgentError(f"{path}: cannot be read ({error.__class__.__name__})") from error
    agent = parse_agent(text, str(path))
    if agent.name != path.stem:
        raise AgentError(
            f"{path}: name: is {agent.name!r}; name the file {agent.name}.yaml, or the agent {path.stem}"
        )
    return agent


def parse_agent(text: str, origin: str) -> Agent:
    """As ``load_agent``, from text; ``origin`` is what errors call it."""
    if len(text) > MAX_CHARACTERS:
        raise AgentError(f"{origin}: is longer than {MAX_CHARACTERS} characters")
    try:
        data = yaml.load(text, _StrictLoader)  # noqa: S506 - a SafeLoader, see below
    except _LET_OUT as error:
        raise AgentError(f"{origin}: not YAML: a value cannot be read, or is nested too deep") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise AgentError(f"{origin}: {where}not YAML: {getattr(error, 'problem', None) or error}") from error
    if wrong := _not_json(data):
        raise AgentError(f"{origin}: {wrong}")
    if not isinstance(data, dict):
        raise AgentError(f"{origin}: expected fields (name, prompt, lines, ...); see {SCHEMA_FILE}")
    try:
        agent = Agent.model_validate(data, extra="forbid")
    except ValidationError as error:
        raise AgentError(f"{origin}: {'; '.join(_explain(error))}") from None
    try:
        for field, problem in problems(agent):
            raise AgentError(f"{origin}: {field}: {problem}")
    except RecursionError:
        raise AgentError(f"{origin}: something in it is nested too deep") from None
    return agent


def _not_json(data: object) -> str:
    """Why the definition could not travel; empty = it can. YAML's aliases make much of little, and circles."""
    length = 0
    try:
        # In pieces, and not in one: a billion values are not waited for.
        for piece in json.JSONEncoder(ensure_ascii=False, allow_nan=False).iterencode(data):
            length += len(piece)
            if length > 2 * MAX_CHARACTERS:
                return "is far longer than it looks; write out what its aliases (*name) stand for"
    except TypeError:
        return "there is a value that JSON does not have; put it in quotes"
    except (ValueError, RecursionError):
        return "a value holds itself, is no number, or is nested too deep; mind aliases (*name)"
    return ""


def schema() -> dict[str, Any]:
    """The JSON Schema of a file, for editors. Stricter than the model: unknown fields are errors."""
    made = Agent.model_json_schema()
    for part in (made, *made["$defs"].values()):
        part["additionalProperties"] = False
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "voxbus agent"}


def _explain(error: ValidationError) -> Iterator[str]:
    for item in error.errors(include_url=False):
        field = ".".join(map(str, item["loc"])) or "agent"
        match item["type"]:
            case "extra_forbidden":
                yield f"{field}: no such field; remove it, or see {SCHEMA_FILE} for the names"
            case "missing":
                yield f"{field}: is missing"
            case "string_type":
                yield f"{field}: should be text; put the value in quotes"
            case _:
                yield f"{field}: {item['msg']}"


class _StrictLoader(yaml.SafeLoader):
    """YAML without its surprises: a repeated key is an error, ``yes`` and ``no`` are words, ``3:00`` is no number."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key!r} is no text; put it in quotes", node.start_mark
                )
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key!r} is given twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


_StrictLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", ["n", "~", ""]),
    ("int", r"-?(?:0|[1-9]\d*)", "-0123456789"),
    ("float", r"-?\d+\.\d+", "-0123456789"),
):
    _StrictLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), list(_first)
    )


def main() -> None:
    directory = Path(sys.argv[1] if len(sys.argv) > 1 else "agents")
    try:
        agents = load_agents(directory)
    except AgentError as error:
        sys.exit(str(error))
    (directory / SCHEMA_FILE).write_text(json.dumps(schema(), indent=2) + "\n", "utf-8")
    print(f"{', '.join(agents)}: fine; {directory / SCHEMA_FILE} written")  # noqa: T201 - a command's answer


if __name__ == "__main__":
    main()
