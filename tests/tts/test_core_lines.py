"""Which lines of an agent are rendered ahead."""

from __future__ import annotations

from voxbus.common.agents import Agent, Lines, Tool
from voxbus.common.speech import spoken
from voxbus.tts.core_lines import sentences_to_render


def agent(greeting: str, **variables: str) -> Agent:
    lines = Lines(
        greeting=greeting,
        fallback="Sorry.",
        goodbye="Bye now.",
        no_words=("Pardon?", "Once more?"),
        no_input=("Hello?",),
        no_capacity="We are busy.",
        fillers=("One moment.", ""),
    )
    return Agent(name="test_agent", prompt="You are a test.", lines=lines, variables=variables)


def test_every_fixed_line_in_the_order_of_need() -> None:
    assert sentences_to_render(agent("Good morning.")) == (
        "Good morning.",
        "Sorry.",
        "One moment.",
        "We are busy.",
        "Pardon?",
        "Once more?",
        "Hello?",
        "Bye now.",
    )


def test_a_line_that_is_known_only_in_the_call_is_left_out() -> None:
    texts = sentences_to_render(agent("Good morning {name}."))
    assert "Sorry." in texts
    assert not any("morning" in text for text in texts)


def test_defaults_of_variables_are_filled_in() -> None:
    texts = sentences_to_render(agent("{company}, good morning.", company="Acme"))
    assert texts[0] == "Acme, good morning."


def test_a_line_is_rendered_as_the_sentences_that_will_be_asked_for() -> None:
    line = "Your bill is $5. Would you like to pay it now?"
    texts = sentences_to_render(agent(line))
    assert texts[:2] == spoken(line) == ("Your bill is five dollars.", "Would you like to pay it now?")


def test_a_sentence_that_comes_twice_is_rendered_once() -> None:
    texts = sentences_to_render(agent("Good morning to you. One more moment please. Good morning to you."))
    assert texts.count("Good morning to you.") == 1


def test_a_line_for_the_eye_only_is_left_out() -> None:
    assert "\N{WAVING HAND SIGN}" not in sentences_to_render(agent("\N{WAVING HAND SIGN}"))


def test_what_is_said_while_a_tool_works_is_there_when_it_is_needed() -> None:
    tool = Tool(name="ask", description="x", url="https://crm.example.com", meanwhile="I ask {company}.")
    asking = agent("Hello.", company="Acme").model_copy(update={"tools": (tool,)})
    assert sentences_to_render(asking)[-1] == "I ask Acme."
