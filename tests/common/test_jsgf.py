"""The grammar parser: what it accepts, what it refuses by name, and that matching agrees with generating."""

from __future__ import annotations

import random

import pytest

from voxbus.common.errors import AgentError
from voxbus.common.jsgf import Grammar, Ref, parse, parse_expansion

GRAMMAR = """#JSGF V1.0 UTF-8;
// a comment
grammar test;
public <utterance> = <yes> | [please] move it to <day> /0.5/ {tag} | /* no */ no;
<yes> = yes [please] | that's right;
<day> = (Monday | tuesday) [morning];
"""


@pytest.fixture
def grammar() -> Grammar:
    return parse(GRAMMAR)


def test_lists_every_phrase(grammar: Grammar) -> None:
    assert set(grammar.phrases(Ref("utterance"))) == {
        "yes please", "yes", "that's right", "no",
        *(f"{please}move it to {day}{part}" for please in ("please ", "") for day in ("monday", "tuesday")
          for part in (" morning", "")),
    }  # fmt: skip


def test_matches_what_it_generates_and_nothing_longer(grammar: Grammar) -> None:
    for phrase in grammar.phrases(Ref("utterance")):
        words = tuple(phrase.split())
        assert grammar.match(Ref("utterance"), words) is not None
        assert grammar.match(Ref("utterance"), (*words, "no")) is None
        assert grammar.match(Ref("utterance"), (*words[:-1], "never")) is None


def test_keeps_the_words_of_slots(grammar: Grammar) -> None:
    words = ("please", "move", "it", "to", "tuesday", "morning")
    assert grammar.match(Ref("utterance"), words, frozenset({"day"})) == {"day": "tuesday morning"}


def test_samples_are_phrases(grammar: Grammar) -> None:
    rng = random.Random(1)
    phrases = set(grammar.phrases(Ref("utterance")))
    assert {grammar.sample(Ref("utterance"), rng) for _ in range(300)} == phrases


def test_knows_its_vocabulary(grammar: Grammar) -> None:
    assert {"monday", "that's", "please"} < grammar.words()
    assert len(grammar.words()) == 11


@pytest.mark.parametrize(
    ("rules", "complaint"),
    [
        ("<a> = yes;", "no rule is public"),
        ("public <a> = yes <b>;", "<b>, used in <a>, is not defined"),
        ("public <a> = yes <b>; <b> = no [<a>];", "<a> refers to itself"),
        ("public <a> = yes; <a> = no;", "<a> is defined twice"),
        ("public <a> = yes", "expected ';', found 'the end'"),
        ("public <a> = (yes;", "line 1: expected ')'"),
        ("public <a> = yes | ;", "expected words"),
        ("public <a> = yes*;", "repetition"),
        ("public <a> = 100%;", "unexpected character"),
        ("import <b.c>;", "expected a rule"),
        (f"public <a> = {'(' * 2000}yes{')' * 2000};", "deeper than 50"),
        (" ".join(f"public <r{n}> = <r{n + 1}>;" for n in range(2000)) + "<r2000> = yes;", "deeper than 50"),
    ],
)
def test_refuses_by_name(rules: str, complaint: str) -> None:
    with pytest.raises(AgentError) as caught:
        parse(f"#JSGF V1.0; grammar g; {rules}")
    assert complaint in str(caught.value)


def test_rules_that_refer_to_each_other_twice_take_no_time() -> None:
    rules = " ".join(f"<r{n}> = <r{n + 1}> <r{n + 1}>;" for n in range(45))
    assert len(parse(f"#JSGF V1.0; grammar g; public <a> = <r0>; {rules} <r45> = yes;").rules) == 47


def test_a_header_that_never_comes_is_not_looked_for_long() -> None:
    comments = f"// what this is for{' ' * 20}\n" * 200
    assert parse(f"#JSGF V1.0;\n{comments}grammar g; public <a> = yes;").public == "a"
    with pytest.raises(AgentError, match="begins with"):
        parse(f"#JSGF V1.0;\n{comments}public <a> = yes;")


def test_wants_a_header() -> None:
    with pytest.raises(AgentError, match="#JSGF"):
        parse("public <a> = yes;")


def test_expansions_are_checked_against_the_rules(grammar: Grammar) -> None:
    assert grammar.match(parse_expansion("<yes> | no", grammar), ("no",)) == {}
    with pytest.raises(AgentError, match="<later> is not in the grammar"):
        parse_expansion("<yes> <later>", grammar)
    with pytest.raises(AgentError, match=r"unexpected '\)'"):
        parse_expansion("yes )", grammar)
