"""A bad declaration of a tool is an error that names the tool, the field, and what to do."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from voxbus.common.agent_files import parse_agent, resolve
from voxbus.common.agents import Agent
from voxbus.common.errors import AgentError

LOOK_UP: dict[str, Any] = {
    "name": "look_up",
    "description": "Looks an order up for {company}.",
    "url": "https://crm.example.com/orders/{order}?by={caller_number}",
    "headers": {"Authorization": "Bearer ${CRM_TOKEN}"},
    "arguments": {
        "type": "object",
        "properties": {"order": {"type": "string", "pattern": "^[a-z0-9]+$"}, "since": {"type": "string"}},
        "required": ["order"],
    },
    "meanwhile": "One moment, I ask {company}.",
}


def written(*tools: dict[str, Any], **more: Any) -> str:
    agent = {
        "name": "tiny",
        "prompt": "x",
        "lines": {"greeting": "Hello."},
        "variables": {"company": "Initech"},
        "tools": list(tools),
    }
    return yaml.safe_dump(agent | more)


def read(*tools: dict[str, Any], **more: Any) -> Agent:
    return parse_agent(written(*tools, **more), "tiny.yaml")


def test_a_tool_as_it_should_be() -> None:
    (tool,) = resolve(read(LOOK_UP), {"company": "Initrode"}).tools
    assert tool.description == "Looks an order up for Initrode."
    assert tool.meanwhile == "One moment, I ask Initrode."
    assert (tool.method, tool.idempotent, tool.private, tool.optional) == ("GET", False, False, False)


@pytest.mark.parametrize(
    "url",
    [
        "https://crm.example.com",
        "https://crm.example.com:8443/a/b?c=d",
        "${CRM_URL}/orders",
        "http://127.0.0.1:8080/x",
        "http://[::1]:8080/x",
        "http://localhost/x",
    ],
)
def test_hosts_that_may_be_named(url: str) -> None:
    assert read(LOOK_UP | {"url": url, "arguments": {"type": "object"}})


def test_a_host_of_ones_own_may_be_asked_in_the_open() -> None:
    assert read(LOOK_UP | {"url": "http://crm.internal/{order}", "private": True})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"name": "Look Up"}, "tools.0.name: String should match"),
        ({"description": ""}, "tools.0.description: String should have at least 1"),
        ({"colour": "red"}, "tools.0.colour: no such field"),
        ({"method": "HEAD"}, "tools.0.method: Input should be"),
        ({"timeout_ms": 60000}, "tools.0.timeout_ms: Input should be less than"),
        ({"name": "end_call"}, "tools.end_call: every agent has a tool of this name"),
        ({"url": "crm.example.com/x"}, "tools.look_up.url: is no URL; write https://host/path"),
        ({"url": "file:///etc/passwd"}, "tools.look_up.url: is no URL"),
        ({"url": "https://u:p@crm.example.com/"}, "tools.look_up.url: is no origin"),
        ({"url": "https://crm.example.com/#x"}, "tools.look_up.url: is no URL"),
        ({"url": "https://crm.example.com/a b"}, "tools.look_up.url: is no URL"),
        ({"url": "https://{order}.example.com/"}, "tools.look_up.url: an argument may not name the host"),
        ({"url": "https://{company}/"}, "tools.look_up.url: an argument may not name the host"),
        ({"url": "https://${CRM_HOST}/x"}, "tools.look_up.url: a variable may not be part of the host"),
        ({"url": "http://crm.example.com/x"}, "tools.look_up.url: is an open line; use https, or private: true"),
        ({"url": "https://crm.example.com/{nothing}"}, "tools.look_up.url: nothing is called {nothing}; there are:"),
        ({"url": "https://crm.example.com/{since}"}, "tools.look_up.url: {since} may be left out by the model"),
        ({"headers": {"Host": "x"}}, "tools.look_up.headers.Host: is no name that a header may have here"),
        ({"headers": {"Idempotency-Key": "x"}}, "tools.look_up.headers.Idempotency-Key: is no name"),
        ({"headers": {"X Y": "x"}}, "tools.look_up.headers.X Y: is no name"),
        ({"headers": {"X": "a\r\nY: b"}}, "tools.look_up.headers.X: a header has visible ASCII characters only"),
        ({"headers": {"X": "{nothing}"}}, "nothing is called {nothing}"),
        ({"arguments": {"type": "string"}}, "tools.look_up.arguments: is no schema of an object"),
        ({"arguments": {"type": "object", "properties": 7}}, "tools.look_up.arguments: is no schema of an object"),
        (
            {"arguments": {"type": "object", "properties": {"order": {"type": "text"}}}},
            "tools.look_up.arguments: is no JSON Schema, at properties.order.type",
        ),
        (
            {"arguments": {"type": "object", "properties": {"order": {"pattern": "("}}}},
            "tools.look_up.arguments: is no JSON Schema, at properties.order.pattern: '(' is not a 'regex'",
        ),
        (
            {"arguments": {"type": "object", "properties": {"order": {"$ref": "https://example.com/s.json"}}}},
            "tools.look_up.arguments: has a $ref that leads nowhere here",
        ),
        (
            {"arguments": {"type": "object", "properties": {"company": {"type": "string"}}, "required": ["company"]},
             "url": "https://crm.example.com/{company}"},
            "tools.look_up.arguments: 'company' is also known of the call",
        ),
        ({"meanwhile": "{nothing}"}, ""),
    ],
)  # fmt: skip
def test_errors_name_the_tool_the_field_and_the_way_out(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(AgentError) as caught:
        resolve(read(LOOK_UP | change), {})
    assert complaint in str(caught.value)


def test_two_tools_of_one_name() -> None:
    with pytest.raises(AgentError, match=r"tiny\.yaml: tools\.look_up: two tools have this name"):
        read(LOOK_UP, LOOK_UP)


def dialogue(**reply: Any) -> dict[str, Any]:
    return {
        "grammar": "#JSGF V1.0; grammar tiny; public <utterance> = yes;",
        "dialogue": {
            "memory": {"day": "soon"},
            "intents": [{"name": "yes", "phrases": ["yes"], "reply": {"say": "It comes {day}."} | reply}],
        },
    }


def test_a_dialogue_that_calls_a_tool() -> None:
    assert read(LOOK_UP, **dialogue(tool="look_up", arguments={"order": "7"}, learn={"day": "arrives"}))


@pytest.mark.parametrize(
    ("reply", "complaint"),
    [
        ({"tool": "lookup"}, "intents.yes.reply.tool: 'lookup' is not among tools (look_up)"),
        ({"tool": "look_up"}, "intents.yes.reply.arguments: look_up needs order; say what it is"),
        ({"tool": "look_up", "arguments": {"order": "7", "x": "8"}}, "reply.arguments.x: look_up has no such argument"),
        ({"tool": "look_up", "arguments": {"order": "7"}, "learn": {"hour": "at"}}, "reply.learn.hour: not in"),
        ({"learn": {"day": "at"}}, "intents.yes.reply.learn: goes with a tool"),
    ],
)  # fmt: skip
def test_a_dialogue_that_calls_a_tool_wrongly(reply: dict[str, Any], complaint: str) -> None:
    with pytest.raises(AgentError) as caught:
        read(LOOK_UP, **dialogue(**reply))
    assert complaint in str(caught.value)
