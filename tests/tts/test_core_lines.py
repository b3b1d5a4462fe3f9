"""Which lines of an agent are rendered ahead."""

from __future__ import annotations

from voxbus.common.agents import Agent, Lines
from voxbus.common.speech import spoken
from voxbus.tts.core_lines import texts_to_render


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
    assert list(texts_to_render(agent("Good morning."))) == [
        "Good morning.",
        "Sorry.",
        "One moment.",
        "We are busy.",
        "Pardon?",
        "Once more?",
        "Hello?",
        "Bye now.",
    ]


def test_a_line_that_is_known_only_in_the_call_is_left_out() -> None:
    texts = texts_to_render(agent("Good morning {name}."))
    assert "Sorry." in texts
    assert not any("morning" in text for text in texts)


def test_defaults_of_variables_are_filled_in() -> None:
    texts = texts_to_render(agent("{company}, good morning.", company="Acme"))
    assert next(iter(texts)) == "Acme, good morning."


def test_a_line_is_rendered_whole_and_as_the_sentences_that_will_be_asked_for() -> None:
    line = "Your bill is $5. Would you like to pay it now?"
    texts = texts_to_render(agent(line))
    sentences = list(spoken(line))
    assert len(sentences) == 2
    assert list(texts)[:3] == [*sentences, line]
    assert texts[line] == "Your bill is five dollars. Would you like to pay it now?"


def test_a_line_for_the_eye_only_is_left_out() -> None:
    assert "\N{WAVING HAND SIGN}" not in texts_to_render(agent("\N{WAVING HAND SIGN}"))
