"""What tools did, as each kind of model is told it, and as the scripted dialogue remembers it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from voxbus.common.agent_files import parse_agent
from voxbus.common.agents import Agent
from voxbus.common.events import ToolCalled, ToolReturned
from voxbus.common.turns import ToolUse
from voxbus.llm.core_anthropic import prompt_of
from voxbus.llm.core_chat import Invocation, Message
from voxbus.llm.core_chunks import call_of, chat_messages
from voxbus.llm.core_dialogue import Said, answer
from voxbus.llm.core_trail import (
    REDACTED,
    UNKNOWN,
    Step,
    ToolAnswer,
    is_whole,
    learned,
    redacted,
    redacted_text,
    steps_of,
    trail,
    words_begin,
)
from voxbus.llm.core_workers_ai import run_messages

NOBODY = frozenset[int]()


def step(index: int, round_: int = 0, said: int = 0, result: str | None = "{}") -> Step:
    return Step(Invocation(f"call_2_0_{index}", "look_up", {"n": index}), index, round_, said, True, result)


def told(messages: list[Message]) -> list[tuple[str, str, int]]:
    return [(message.role, message.text, len(message.calls)) for message in messages]


def test_words_stand_before_the_calls_that_came_after_them() -> None:
    steps = [step(0, 0, 1), step(1, 0, 1), step(2, 1, 2)]
    assert told(trail(["Let me see.", "And once more.", "It is Friday."], NOBODY, steps)) == [
        ("assistant", "Let me see.", 2),
        ("tool", "{}", 0),
        ("tool", "{}", 0),
        ("assistant", "And once more.", 1),
        ("tool", "{}", 0),
    ]
    assert words_begin(NOBODY, steps[-1]) == 2


def test_what_was_said_meanwhile_stands_before_the_answer() -> None:
    steps = [step(0, 0, 0, result=None)]
    meanwhile = frozenset({0, 1})
    assert told(trail(["One moment.", "I look.", "Friday."], meanwhile, steps)) == [
        ("assistant", "One moment. I look.", 1),
        ("tool", UNKNOWN, 0),
    ]
    assert words_begin(meanwhile, steps[-1]) == 2


def test_from_the_log() -> None:
    of = {"call": "CA1", "turn": 2, "attempt": 1}
    called = ToolCalled(**of, index=0, name="look_up", arguments='{"n": 0}', round=1, said=2)  # type: ignore[arg-type]
    returned = ToolReturned(**of, index=0, name="look_up", ok=True, result="7")  # type: ignore[arg-type]
    made = Invocation("call_2_1_0", "look_up", {"n": 0})
    assert steps_of([ToolUse(called, returned)]) == [Step(made, 0, 1, 2, True, "7")]
    assert steps_of([ToolUse(called)]) == [Step(made, 0, 1, 2)]
    assert steps_of([ToolUse(ToolCalled(**of, index=0, name="end_call"))]) == []  # type: ignore[arg-type]


MESSAGES = [
    Message("system", "You are a test."),
    Message("user", "When is it?"),
    *trail(["Let me see."], NOBODY, [step(0, 0, 1, '{"day":"Friday"}')]),
    Message("assistant", "On Friday."),
    Message("user", "And hers?"),
    *trail([], NOBODY, [step(1, 0, 0, "none"), step(2, 0, 0, "none either")]),
    Message("system", "Go on."),
]


def test_as_chat_completions() -> None:
    def function(n: int) -> dict[str, Any]:
        called = {"name": "look_up", "arguments": f'{{"n": {n}}}'}
        return {"id": f"call_2_0_{n}", "type": "function", "function": called}

    assert chat_messages(MESSAGES)[2:] == [
        {"role": "assistant", "content": "Let me see.", "tool_calls": [function(0)]},
        {"role": "tool", "tool_call_id": "call_2_0_0", "content": '{"day":"Friday"}'},
        {"role": "assistant", "content": "On Friday."},
        {"role": "user", "content": "And hers?"},
        {"role": "assistant", "content": None, "tool_calls": [function(1), function(2)]},
        {"role": "tool", "tool_call_id": "call_2_0_1", "content": "none"},
        {"role": "tool", "tool_call_id": "call_2_0_2", "content": "none either"},
        {"role": "system", "content": "Go on."},
    ]


def test_as_anthropics_messages() -> None:
    def use(n: int) -> dict[str, Any]:
        return {"type": "tool_use", "id": f"call_2_0_{n}", "name": "look_up", "input": {"n": n}}

    def result(n: int, text: str) -> dict[str, Any]:
        return {"type": "tool_result", "tool_use_id": f"call_2_0_{n}", "content": text}

    system, rest = prompt_of(MESSAGES)
    assert system == "You are a test."
    assert rest == [
        {"role": "user", "content": "When is it?"},
        {"role": "assistant", "content": [{"type": "text", "text": "Let me see."}, use(0)]},
        {"role": "user", "content": [result(0, '{"day":"Friday"}')]},
        {"role": "assistant", "content": "On Friday."},
        {"role": "user", "content": "And hers?"},
        {"role": "assistant", "content": [use(1), use(2)]},
        {
            "role": "user",
            "content": [result(1, "none"), result(2, "none either"), {"type": "text", "text": "Go on."}],
        },
    ]


def test_as_workers_ai_has_it() -> None:
    assert run_messages(MESSAGES)[2:4] == [
        {"role": "assistant", "content": 'Let me see.\n[{"name": "look_up", "arguments": {"n": 0}}]'},
        {"role": "tool", "name": "look_up", "content": '{"day":"Friday"}'},
    ]


@pytest.mark.parametrize(
    ("given", "arguments", "malformed"),
    [
        ("", {}, False),
        ("null", {}, False),
        (None, {}, False),
        ('{"a": [1]}', {"a": [1]}, False),
        ({"a": 1}, {"a": 1}, False),
        ("{oops", {}, True),
        ("[1]", {}, True),
        (r'{"a": "\ud83d"}', {"a": "?"}, False),
        ('{"a": ' + "[" * 60_000, {}, True),
        (7, {}, True),
    ],
)
def test_arguments_as_models_write_them(given: Any, arguments: dict[str, Any], malformed: bool) -> None:
    call = call_of("x", given)
    assert (call.arguments, call.malformed) == (arguments, malformed)


def test_what_is_kept_of_an_answer() -> None:
    assert redacted_text('{"a":1,"b":2}', ()) == '{"a":1,"b":2}'
    assert redacted_text('{"a":1,"b":2}', ["b"]) == f'{{"a": 1, "b": "{REDACTED}"}}'
    assert redacted_text('{"a":{"b":2,"c":[{"b":{"d":3}},4]}}', ["b"]) == (
        f'{{"a": {{"b": "{REDACTED}", "c": [{{"b": "{REDACTED}"}}, 4]}}}}'
    )
    assert redacted_text("b is 2", ["b"]) == REDACTED
    assert redacted_text("[1]", ["b"]) == REDACTED
    assert redacted_text("[" * 60_000, ["b"]) == REDACTED
    assert learned([step(0, result="[" * 60_000)])["look_up"].fields == {}


def test_what_was_left_out_is_seen_however_deep() -> None:
    arguments = {"a": [{"b": "x", "c": 1}], "d": {}}
    assert is_whole(arguments)
    assert not is_whole(redacted(arguments, ["b"]))


# --- the scripted dialogue ------------------------------------------------------------------------------------------

CLERK = """
name: clerk
prompt: x
lines: {greeting: Hello.}
grammar: "#JSGF V1.0; grammar clerk; public <utterance> = when | again | bye;"
tools: [{name: look_up, description: x, url: "https://crm.example.com/{n}",
         arguments: {type: object, properties: {n: {type: string}}, required: [n]}}]
dialogue:
  memory: {day: some day}
  intents:
    - name: when
      phrases: [when]
      reply: {tool: look_up, arguments: {n: "{day}"}, learn: {day: on}, say: "On {day}.", failed: "I cannot see it."}
    - {name: again, phrases: [again], reply: {say: "As I said, {day}."}}
    - {name: bye, phrases: [bye], reply: {tool: look_up, arguments: {n: "1"}, say: "Bye.", action: end_call}}
"""


@pytest.fixture
def clerk() -> Agent:
    return parse_agent(CLERK, "clerk.yaml")


def asked(answers: Mapping[str, ToolAnswer] | None = None, text: str = "when") -> Said:
    return Said(text, answers=answers or {})


def test_the_dialogue_calls_before_it_speaks(clerk: Agent) -> None:
    given = answer(clerk, [asked()], ["look_up"])
    assert (given.reply.tool, given.arguments) == ("look_up", {"n": "some day"})


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (ToolAnswer(True, {"on": "Friday"}), ["On Friday.", "As I said, Friday."]),
        (ToolAnswer(True, {}), ["On some day.", "As I said, some day."]),
        (ToolAnswer(False, {}), ["I cannot see it.", "As I said, some day."]),
    ],
)
def test_the_dialogue_says_what_it_learned_and_remembers_it(
    clerk: Agent, result: ToolAnswer, said: list[str]
) -> None:
    first = asked({"look_up": result})
    given = answer(clerk, [first], ["look_up"])
    assert (given.arguments, given.say) == (None, said[0])
    assert answer(clerk, [first, asked(text="again")], ["look_up"]).say == said[1]


def test_the_dialogue_goes_on_without_a_tool_that_is_not_there(clerk: Agent) -> None:
    given = answer(clerk, [asked()])
    assert (given.arguments, given.say) == (None, "On some day.")


def test_what_was_learned_is_text() -> None:
    results = learned([step(0, result='{"a":"x","b":2,"c":[1]}'), step(1, result="none")])
    assert results["look_up"] == ToolAnswer(True, {})
    assert learned([step(0, result='{"a":"x","b":2,"c":[1]}')])["look_up"].fields == {
        "a": "x",
        "b": "2",
        "c": "[1]",
    }
