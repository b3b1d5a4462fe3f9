"""Agent files: strict where a person writes, and errors that say what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from voxbus.common.agent_files import load_agent, load_agents, parse_agent, resolve
from voxbus.common.agents import Agent
from voxbus.common.errors import AgentError

MINIMAL = """
name: tiny
prompt: You work for {company}.
lines: {greeting: "Hello from {company}."}
"""

TALKING = (
    MINIMAL
    + """
variables: {company: Initech}
transfer_targets: {desk: "+15550100"}
grammar: |
  #JSGF V1.0; grammar tiny;
  public <utterance> = <yes> | on <day>;
  <yes> = yes; <day> = monday;
dialogue:
  slots: {day: {monday: Monday}}
  memory: {booked: "{company} day"}
  intents:
    - {name: pick, phrases: ["on <day>"], reply: {say: "{day} it is, at {company}.", expect: picked}}
    - {name: yes, state: [picked], phrases: [<yes>], reply: {action: transfer_call, target: desk}}
"""
)

#: A line that is a billion values.
ALIASES = "[&a0 [x]" + "".join(f", &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)) + "]"


def test_reads_a_definition() -> None:
    agent = parse_agent(TALKING, "tiny.yaml")
    assert agent.lines.greeting == "Hello from {company}."
    assert agent.dialogue.intents[0].phrases == ("on <day>",)


def test_a_definition_that_travels_ignores_what_it_does_not_know() -> None:
    data = parse_agent(TALKING, "tiny.yaml").model_dump() | {"from_the_future": 1}
    assert Agent.model_validate(data).name == "tiny"


def test_resolve_fills_variables_and_leaves_slots() -> None:
    agent = resolve(parse_agent(TALKING, "tiny.yaml"), {"company": "Acme {day}"})
    assert agent.prompt == "You work for Acme {day}."
    assert agent.lines.greeting == "Hello from Acme {day}."
    assert agent.dialogue.intents[0].reply.say == "{day} it is, at Acme {day}."
    assert agent.dialogue.memory == {"booked": "Acme {day} day"}
    assert agent.variables == {"company": "Acme {day}"}


def test_resolve_uses_the_defaults() -> None:
    assert resolve(parse_agent(TALKING, "tiny.yaml"), {}).prompt == "You work for Initech."


def test_resolve_names_a_missing_variable() -> None:
    with pytest.raises(
        AgentError, match=r"tiny: lines.greeting: no value for \{company\}; give it in the call's context"
    ):
        resolve(parse_agent(MINIMAL, "tiny.yaml"), {})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("lines:", "lnes:"), "lines: is missing"),
        (("lines:", "lnes:"), "lnes: no such field"),
        (("greeting:", "greting:"), "lines.greting: no such field"),
        (("name: tiny", "name: Tiny"), "name: String should match"),
        (("name: tiny", "name: tiny\nname: tiny"), "line 2: not YAML: 'name' is given twice"),
        (("company: Initech", "company: 3"), "variables.company: should be text; put the value in quotes"),
        (("company: Initech", "day: Monday"), "variables.day: a slot or memory of the dialogue is called 'day' too"),
        (("lines: {greeting: \"Hello from {company}.\"}", "lines: {greeting: \"On {day}.\"}"),
         "lines.greeting: {day} belongs to the dialogue"),
        (("<yes> = yes;", "<yes> = yes"), "grammar: line 3: expected ';'"),
        (("slots: {day:", "slots: {month:"), "dialogue.slots.month: a slot is a rule of the grammar"),
        (("phrases: [<yes>]", "phrases: [<yess>]"), "dialogue.intents.yes.phrases: '<yess>': rule <yess> is not"),
        (("phrases: [<yes>]", "phrases: []"), "dialogue.intents.yes: nothing leads to it"),
        (("state: [picked]", "state: [piked]"), "intents.yes.state: no reply expects 'piked'; the states are picked"),
        (("target: desk", "target: dusk"), "intents.yes.reply.target: 'dusk' is not among transfer_targets (desk)"),
        (("{action: transfer_call, target: desk}", "{}"), "dialogue.intents.yes.reply: says nothing and does nothing"),
        (("expect: picked", "remember: {bokked: x}"), "reply.remember.bokked: not in dialogue.memory"),
        (("name: yes", "name: pick"), "dialogue.intents.pick: two intents have this name"),
        (("name: tiny", "name: tiny\nmachine_detection: leave_message"),
         "lines.voicemail: is missing; machine_detection: leave_message needs the message"),
        (("lines: {", "lines: {voicemail: Call back., "), "lines.voicemail: is never said; set machine_detection"),
        (("name: tiny", "name: tiny\nrecording: true"),
         "lines.recording_notice: is missing; with recording: true callers must be told"),
        (("lines: {", "lines: {recording_notice: We record., "), "lines.recording_notice: is said and nothing is"),
        (("name: tiny", "name: tiny\nmachine_detection: on"),
         "machine_detection: Input should be 'off', 'hang_up' or 'leave_message'"),
        (("lines: {", "machine_detection: leave_message\nlines: {voicemail: \"On {day}.\", "),
         "lines.voicemail: {day} belongs to the dialogue"),
        (("phrases: [<yes>]", "keys: ['1'], screener: wait"), "intents.yes.screener: a screener speaks"),
        (("name: pick", "name: pick, screener: answer"), "pick.reply.say: a screener is answered before {day} is"),
        (("name: yes", "name: yes, screener: answer"), "intents.yes.reply.say: is the answer to a screener"),
        (("name: yes", "name: yes, screener: maybe"), "screener: Input should be '', 'answer' or 'wait'"),
    ],
)  # fmt: skip
def test_errors_name_the_file_the_field_and_the_way_out(change: tuple[str, str], complaint: str) -> None:
    assert change[0] in TALKING
    with pytest.raises(AgentError) as caught:
        parse_agent(TALKING.replace(*change), "agents/tiny.yaml")
    assert str(caught.value).startswith("agents/tiny.yaml: ")
    assert complaint in str(caught.value)


def test_yaml_without_its_surprises() -> None:
    agent = parse_agent(
        MINIMAL.replace("from {company}", "yes") + "backchannels: [yes, no, on, 3:00]\n", "tiny.yaml"
    )
    assert agent.backchannels == ("yes", "no", "on", "3:00")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a list",
        "name: [unclosed",
        "!!python/object:os.system {}",
        # What YAML's own readers let out as errors that are none of YAML's.
        "name: !!int abc",
        "name: !!float abc",
        "name: !!bool abc",
        "name: !!timestamp abc",
        "name: !!set [a]",
        f"name: {'9' * 5000}",
        f"name: {'[' * 2000}",
        "a" * 1_000_001,
        # What YAML has and JSON has not: a definition travels as JSON.
        f"{MINIMAL}dialogue: &a {{memory: *a}}",
        f"{MINIMAL}description: !!binary aGVsbG8=",
        f"{MINIMAL}variables: {{1: one}}",
        f'{MINIMAL}grammar: "#JSGF V1.0; grammar a; public <a> = {"(" * 2000}a{")" * 2000};"',
    ],
)
def test_what_is_no_definition_at_all(text: str) -> None:
    with pytest.raises(AgentError, match=r"^x\.yaml: "):
        parse_agent(text, "x.yaml")


USING = (
    MINIMAL.replace("{company}", "us")
    + """
tools:
  - name: look
    description: Looks.
    url: https://example.com/x
    arguments: """
)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ('{type: object, required: [x], properties: {x: {$ref: "#/required/day"}}}', "leads nowhere here"),
        ('{type: object, properties: {x: true, y: {$ref: "#/properties/x/z"}}}', "leads nowhere here"),
        ('{type: object, required: [x], properties: {x: {$ref: "#/required/0"}}}', "cannot be used"),
        ('{type: object, properties: {x: {$ref: "#/properties/x"}}}', "cannot be used"),
        ('{type: object, properties: {x: {properties: {y: {$ref: "#/$defs/y"}}}},'
         ' $defs: {y: {anyOf: [{type: "null"}, {$ref: "#/$defs/y"}]}}}', "cannot be used"),
        ("&a {type: object, properties: {x: *a}}", "a value holds itself"),
        ("{type: object, default: !!timestamp 2020-01-01}", "there is a value that JSON does not have"),
        ("{type: object, enum: [!!set {a, b}]}", "there is a value that JSON does not have"),
        ("{type: object, default: !!binary aGVsbG8=}", "there is a value that JSON does not have"),
        (f"{{type: object, default: {ALIASES}}}", "far longer than it looks"),
        ("{type: object, properties: {1: {}}}", "1 is no text; put it in quotes"),
    ],
)  # fmt: skip
def test_a_schema_that_would_fail_in_the_call_is_refused(arguments: str, complaint: str) -> None:
    with pytest.raises(AgentError, match=r"^x\.yaml: ") as caught:
        parse_agent(USING + arguments, "x.yaml")
    assert complaint in str(caught.value)


def test_a_schema_may_refer_to_itself_for_what_is_inside() -> None:
    tree = '{type: object, properties: {x: {$ref: "#/$defs/t"}}, $defs: {t: {items: {$ref: "#/$defs/t"}}}}'
    assert parse_agent(USING + tree, "x.yaml").tools


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="no agent definitions"):
        load_agents(tmp_path)
    with pytest.raises(AgentError, match="AGENTS_DIR"):
        load_agents(tmp_path / "nowhere")
    (tmp_path / "tiny.yaml").write_text(MINIMAL)
    assert list(load_agents(tmp_path)) == ["tiny"]


def test_the_file_is_named_after_the_agent(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(MINIMAL)
    with pytest.raises(AgentError, match=r"other\.yaml: name: is 'tiny'"):
        load_agents(tmp_path)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_bytes(b"name: \xff")
    with pytest.raises(AgentError, match="cannot be read"):
        load_agent(tmp_path / "bad.yaml")
    with pytest.raises(AgentError, match="cannot be read"):
        load_agent(tmp_path / "none.yaml")
