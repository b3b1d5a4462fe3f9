"""The scripted dialogue of the reminder, as conversations."""

from __future__ import annotations

import random

import pytest

from voxbus.common import jsgf
from voxbus.common.agents import Agent
from voxbus.llm.core_dialogue import Said, answer, normalize


def talk(agent: Agent, *words: str) -> str:
    return answer(agent, [Said(text, keys=text.isdigit()) for text in words]).say


def intent(agent: Agent, *words: str) -> str:
    return answer(agent, [Said(text, keys=text.isdigit()) for text in words]).intent


def test_nothing_said_is_the_greeting(reminder: Agent) -> None:
    assert answer(reminder, []).say == reminder.lines.greeting


def test_a_move_is_read_back_before_it_is_made(reminder: Agent) -> None:
    words = ["i need to reschedule", "tuesday at three", "yes please", "when is it"]
    assert [talk(reminder, *words[: n + 1]) for n in range(3)] == [
        "Of course. Which day and time would suit you?",
        "That would be Tuesday at three. Shall I move your appointment there?",
        "Done. Your appointment is now on Tuesday at three. Is there anything else?",
    ]
    assert "on Tuesday at three." in talk(reminder, *words)


def test_a_move_that_was_refused_changes_nothing(reminder: Agent) -> None:
    words = ["tuesday at three", "no", "when is it"]
    assert "on Thursday at ten in the morning." in talk(reminder, *words)


def test_a_cancellation_is_read_back_before_it_is_made(reminder: Agent) -> None:
    assert talk(reminder, "please cancel it") == (
        "You want to cancel your appointment on Thursday at ten in the morning. Is that right?"
    )
    assert "is cancelled" in talk(reminder, "please cancel it", "yes")
    assert "I left it as it is" in talk(reminder, "please cancel it", "no")


def test_a_day_and_a_time_may_come_one_after_the_other(reminder: Agent) -> None:
    assert talk(reminder, "how about friday") == "On Friday. At what time?"
    assert "Friday at nine thirty" in talk(reminder, "how about friday", "at nine thirty")
    assert intent(reminder, "at nine thirty") == "move_to_time_of_no_day"


def test_yes_and_no_mean_what_was_asked(reminder: Agent) -> None:
    assert intent(reminder, "yes") == "confirm"
    assert intent(reminder, "no") == "undecided"
    assert intent(reminder, "yes", "no thank you") == "nothing_more"
    assert answer(reminder, [Said("yes"), Said("no thank you")]).reply.action == "end_call"


def test_repeat_says_the_last_reply_and_changes_nothing(reminder: Agent) -> None:
    asked = talk(reminder, "tuesday at three")
    assert talk(reminder, "tuesday at three", "could you repeat that") == asked
    assert talk(reminder, "tuesday at three", "could you repeat that", "say that again") == asked
    assert "Done." in talk(reminder, "tuesday at three", "what did you say", "yes")
    assert talk(reminder, "could you repeat that") == reminder.lines.greeting


def test_keys(reminder: Agent) -> None:
    assert intent(reminder, "1") == "confirm"
    assert intent(reminder, "tuesday at three", "1") == "move_agreed"
    assert intent(reminder, "0") == "human"
    assert intent(reminder, "77") == ""


def test_a_number_that_was_said_is_no_key(reminder: Agent) -> None:
    assert answer(reminder, [Said("1")]).intent == ""


def test_what_nothing_matches_is_owned_up_to(reminder: Agent) -> None:
    given = answer(reminder, [Said("is it raining outside")])
    assert (given.intent, given.say) == ("", reminder.dialogue.otherwise.say)
    assert "Done." in talk(reminder, "tuesday at three", "is it raining", "yes")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Yes, please!", "yes please"),
        ("Um, Tuesday at 3.", "tuesday at three"),
        ("At 3 PM", "at three in the afternoon"),
        ("at 9:45 a.m.", "at nine forty five in the morning"),
        ("I’d like to cancel it", "i'd like to cancel it"),
        ("uh-huh", "uh-huh"),
        ("  ", ""),
    ],
)
def test_words_of_other_recognizers_come_to_the_same(text: str, words: str) -> None:
    assert " ".join(normalize(text)) == words


def test_any_conversation_of_the_grammar_goes_on(reminder: Agent) -> None:
    """Callers who say anything the grammar has: there is always something to say, filled in."""
    grammar = jsgf.parse(reminder.grammar)
    rng = random.Random(7)
    for _ in range(150):
        words = [Said(grammar.sample(jsgf.Ref(grammar.public), rng)) for _ in range(rng.randint(1, 8))]
        given = answer(reminder, words)
        assert given.intent
        assert given.say
        assert "{" not in given.say
