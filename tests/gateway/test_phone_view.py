"""What the page is told, and what it offers to say. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from voxbus.common import events as ev
from voxbus.common.agent_files import parse_agent
from voxbus.common.agents import Agent, Voice
from voxbus.common.events import Stored
from voxbus.common.jsgf import parse
from voxbus.gateway.phone.core_view import CallView, Hum, Line, Said, TurnGone, TurnView, View
from voxbus.gateway.phone.examples import MOST, examples, keys

SID = "CA" + "0" * 32
Log = Callable[..., list[Stored]]

PIZZA = """
name: pizza
prompt: You sell pizza.
lines: {greeting: Pizza.}
grammar: |
  #JSGF V1.0;
  grammar pizza;
  public <utterance> = <yes> | <no> | <order> | <who>;
  <yes> = yes [please];
  <no> = no;
  <order> = i want a (small | large) pizza [to | for] [at noon];
  <who> = who is calling;
dialogue:
  intents:
    - {name: agreed, state: [confirming], phrases: [<yes>], reply: {say: Done.}}
    - {name: order_this, phrases: [<order>], keys: ["1"], reply: {say: "Is it right?", expect: confirming}}
    - {name: order_that, phrases: [<order>], keys: ["1", "2"], reply: {say: "Is it right?"}}
    - {name: screened, phrases: [<who>], screener: answer, reply: {say: Pizza.}}
    - {name: refuse, phrases: [<no>], reply: {say: Bye.}}
"""


@pytest.fixture
def pizza() -> Agent:
    return parse_agent(PIZZA, "pizza.yaml")


def told(view: View, log: list[Stored]) -> list[Line]:
    return [line for stored in log for line in view.apply(stored)]


def begun(agent: Agent) -> tuple[ev.Event, ...]:
    return (
        ev.Started(call=SID, stream_sid="MZ0", session="", direction="inbound", agent=agent),
        ev.Attached(call=SID, worker="w", nonce="n"),
    )


def said(turn: int, text: str, **more: object) -> ev.Utterance:
    utterance = ev.Utterance(
        call=SID, holder=2, turn=turn, text=text, start_media_ms=0, end_media_ms=9, ended_by="silence"
    )
    return replace(utterance, **more)  # type: ignore[arg-type]


def sentence(turn: int, index: int, text: str) -> ev.Sentence:
    return ev.Sentence(call=SID, turn=turn, index=index, text=text, voice=Voice())


def test_a_turn_comes_again_when_something_of_it_changed(pizza: Agent, stored: Log) -> None:
    heard = ev.Heard(
        call=SID, stream_sid="MZ0", turn=1, sentence=0, complete=True, played_ms=9, text="", known_by="mark"
    )
    events = (*begun(pizza), sentence(1, 0, "One two."), heard, heard)
    first = TurnView(1, "greeting", "", True, (Said("", "One two.", ""),), False, False, None)
    assert told(View(), stored(*events)) == [
        CallView(True, False, ""),
        first,
        TurnView(1, "greeting", "", True, (Said("One two.", "", "heard"),), False, False, None),
    ]


def test_what_was_cut_is_told_apart_from_what_was_heard(pizza: Agent, stored: Log) -> None:
    cut = ev.Interrupted(call=SID, stream_sid="MZ0", turn=1, sentence=0, played_ms=9, text="One  two")
    view = View()
    events = (*begun(pizza), sentence(1, 0, "One two three."), sentence(1, 1, "Four."), cut)
    last = told(view, stored(*events))[-1]
    assert isinstance(last, TurnView)
    assert last.interrupted
    assert last.said == (Said("One  two", "three.", "cut"), Said("", "Four.", "unheard"))


def test_a_turn_that_was_none_is_taken_back(pizza: Agent, stored: Log) -> None:
    back = ev.UtteranceWithdrawn(call=SID, holder=2, turn=2, attempt=0)
    lines = told(
        View(), stored(*begun(pizza), said(2, "i want", final=False), back, said(2, "i want a", attempt=1))
    )
    guess, gone, again = lines[1:]
    assert isinstance(guess, TurnView)
    assert (guess.caller, guess.final) == ("i want", False)
    assert gone == TurnGone(2)
    assert isinstance(again, TurnView)
    assert again.caller == "i want a"


def test_keys_silence_and_hums(pizza: Agent, stored: Log) -> None:
    lines = told(
        View(),
        stored(
            *begun(pizza),
            said(1, "mm-hm", backchannel=True),
            said(2, "12", ended_by="dtmf"),
            said(3, "", ended_by="no_input"),
        ),
    )
    assert lines[1] == Hum(1, "mm-hm")
    assert [line.by for line in lines[2:] if isinstance(line, TurnView)] == ["keys", "silence"]


def test_events_that_are_void_tell_nothing(pizza: Agent, stored: Log) -> None:
    view = View()
    told(view, stored(*begun(pizza)))
    assert view.apply(Stored(9, 1.0, said(2, "of another holder", holder=1))) == []


def test_the_end(pizza: Agent, stored: Log) -> None:
    view = View()
    lines = told(view, stored(*begun(pizza), ev.Ended(call=SID, reason="agent_hung_up")))
    assert lines[-1] == CallView(True, False, "agent_hung_up")
    assert view.ended


def test_what_one_can_say_at_the_start(pizza: Agent) -> None:
    offered = examples(pizza)
    assert offered == examples(pizza)
    # Not what counts later only, not what screeners say, and of intents that begin alike one.
    assert len(offered) == 2
    assert offered[0].startswith("i want a ")
    assert offered[1] == "no"
    assert keys(pizza) == {"1": "order this", "2": "order that"}


def test_what_is_offered_is_understood(pizza: Agent) -> None:
    grammar = parse(pizza.grammar)
    for phrase in examples(pizza):
        assert grammar.match(grammar.rules[grammar.public], tuple(phrase.split())) is not None


def test_an_agent_without_a_script_offers_what_its_recognizer_knows(pizza: Agent) -> None:
    unscripted = pizza.model_copy(update={"dialogue": type(pizza.dialogue)()})
    assert 1 < len(examples(unscripted)) <= MOST
    assert examples(pizza.model_copy(update={"grammar": ""})) == ()
