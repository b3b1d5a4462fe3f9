"""The questions, and the arguments of the command."""

from __future__ import annotations

import argparse

import pytest

from voxbus.common.agent_files import load_agent
from voxbus.devkit.chaos.caller import AGENT, AGENTS, questions
from voxbus.devkit.chaos.command import add_arguments


def test_what_is_asked_is_in_the_agents_grammar() -> None:
    agent = load_agent(AGENTS / f"{AGENT}.yaml")
    asked, goodbye = questions()
    assert len(asked) == 5
    assert goodbye.words == "thank you goodbye"
    for question in (*asked, goodbye):
        assert f"= {question.words};" in agent.grammar


def test_services_that_cannot_be_killed_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert parser.parse_args(["--kill", "stt, nats"]).kill == ("stt", "nats")
    with pytest.raises(SystemExit):
        parser.parse_args(["--kill", "stt,everything"])
    assert "everything" in capsys.readouterr().err
