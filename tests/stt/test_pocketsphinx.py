"""PocketSphinx in its processes: whose words are whose, and what happens when a process does not do what it should."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from voxbus.common.agent_files import load_agents
from voxbus.common.agents import Agent, Lines
from voxbus.common.audio import mulaw_encode
from voxbus.common.errors import AgentError, ProviderError
from voxbus.stt.providers.pocketsphinx import dictionary
from voxbus.stt.providers.pocketsphinx.pool import Pool
from voxbus.stt.providers.pocketsphinx.process import Process
from voxbus.stt.providers.pocketsphinx.provider import PocketSphinx
from voxbus.stt.providers.pocketsphinx.wire import Grammar, Recognize
from voxbus.stt.recognizer import Listener, Recognition, TurnEnds
from voxbus.stt.transcripts import Transcripts

speech = pytest.importorskip("voxbus.devkit.speech", reason="the devkit speaks for the callers")

TUESDAY = "tuesday"
THURSDAY = "thursday afternoon"
CANCEL = "cancel my appointment"


def asked(*phrases: str) -> Agent:
    """An agent that hears these."""
    grammar = f"#JSGF V1.0;\ngrammar a;\npublic <a> = {' | '.join(phrases)} ;\n"
    return Agent(name="a", prompt="p", lines=Lines(greeting="Hello."), grammar=grammar)


AGENT = asked(TUESDAY, THURSDAY, CANCEL)


@pytest.fixture
async def recognizer() -> AsyncIterator[PocketSphinx]:
    recognizer = PocketSphinx(1)
    await recognizer.start()
    yield recognizer
    await recognizer.close()


def pool(recognizer: PocketSphinx) -> Pool:
    return recognizer._pool


def only(recognizer: PocketSphinx) -> Process:
    (process,) = pool(recognizer).processes
    return process


def said(recognizer: PocketSphinx, text: str, agent: Agent = AGENT) -> Recognition:
    """By a caller of that agent."""
    listener = Listener(lambda _: None, lambda _: None, lambda *_: None)
    recognition = recognizer.attend(agent, TurnEnds(0.7), listener).open()
    recognition.feed(b"\xff" * 2400 + mulaw_encode(speech.speak(text).audio) + b"\xff" * 2400)
    return recognition


async def hear(recognizer: PocketSphinx, text: str, agent: Agent = AGENT) -> str:
    async with asyncio.timeout(60):
        return (await said(recognizer, text, agent).finish(looked=False)).text


async def until_searching(recognizer: PocketSphinx) -> None:
    async with asyncio.timeout(30):
        while not pool(recognizer)._idle.empty():
            await asyncio.sleep(0.001)


# --- whose words they are -----------------------------------------------------------------------------------------


async def test_the_words_of_a_caller_who_hung_up_reach_nobody(recognizer: PocketSphinx) -> None:
    process = only(recognizer)
    os.kill(process.pid, signal.SIGSTOP)  # the search is not over when the call is
    transcripts = Transcripts("CA" + "0" * 32)
    call = asyncio.create_task(transcripts.run(lambda _, __: None))
    transcripts.finish(said(recognizer, CANCEL), looked=False)
    await until_searching(recognizer)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    os.kill(process.pid, signal.SIGCONT)
    assert await hear(recognizer, TUESDAY) == TUESDAY
    assert await hear(recognizer, THURSDAY) == THURSDAY
    assert only(recognizer) is process, "nothing was wrong with it"


async def test_who_hangs_up_before_the_search_costs_none(recognizer: PocketSphinx) -> None:
    process = only(recognizer)
    os.kill(process.pid, signal.SIGSTOP)
    first = asyncio.create_task(hear(recognizer, TUESDAY))
    await until_searching(recognizer)
    second = asyncio.create_task(hear(recognizer, CANCEL))
    third = asyncio.create_task(hear(recognizer, THURSDAY))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait((second,))
    os.kill(process.pid, signal.SIGCONT)
    assert (await first, await third) == (TUESDAY, THURSDAY)
    assert process.requests == 2


async def test_an_answer_to_another_request_is_nobodys(recognizer: PocketSphinx) -> None:
    process = only(recognizer)
    assert await hear(recognizer, TUESDAY) == TUESDAY
    (grammar,) = process.grammars
    process.send(Recognize(0, grammar, b"\xff" * 4000))
    assert await hear(recognizer, THURSDAY) == THURSDAY
    assert only(recognizer) is not process


# --- processes that fail ------------------------------------------------------------------------------------------


async def test_a_process_that_dies_costs_no_words(recognizer: PocketSphinx) -> None:
    process = only(recognizer)
    os.kill(process.pid, signal.SIGKILL)
    assert await hear(recognizer, TUESDAY) == TUESDAY
    assert only(recognizer) is not process


async def test_a_process_that_hangs_is_replaced_before_anybody_else_is_heard(
    recognizer: PocketSphinx, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = only(recognizer)
    os.kill(process.pid, signal.SIGSTOP)
    with monkeypatch.context() as impatient:
        impatient.setattr("voxbus.stt.providers.pocketsphinx.process._ANSWER_S", 0.2)
        heard = asyncio.create_task(hear(recognizer, TUESDAY))
        async with asyncio.timeout(30):
            while process.alive:
                await asyncio.sleep(0.001)
    assert await heard == TUESDAY
    assert only(recognizer) is not process


async def test_nobody_waits_for_ever_for_a_process(
    recognizer: PocketSphinx, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = only(recognizer)
    os.kill(process.pid, signal.SIGSTOP)
    first = asyncio.create_task(hear(recognizer, TUESDAY))
    await until_searching(recognizer)
    monkeypatch.setattr("voxbus.stt.providers.pocketsphinx.pool._WAIT_S", 0.1)
    with pytest.raises(ProviderError) as failed:
        await hear(recognizer, THURSDAY)
    assert failed.value.cause == "unavailable"
    os.kill(process.pid, signal.SIGCONT)
    assert await first == TUESDAY
    assert await hear(recognizer, THURSDAY) == THURSDAY


# --- grammars that cannot be searched -----------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["zyxgrblq", "24", "müller"])
async def test_a_word_that_is_not_in_the_dictionary_harms_its_agent_only(
    recognizer: PocketSphinx, word: str
) -> None:
    process = only(recognizer)
    grammar = asked(TUESDAY, word).grammar
    pool(recognizer).learn(Grammar("unchecked", grammar))  # as if it had not been looked for
    with pytest.raises(ProviderError) as failed:
        await pool(recognizer).recognize(Grammar("unchecked", grammar), b"\xff" * 4000)
    assert failed.value.cause == "failed"
    assert await hear(recognizer, TUESDAY) == TUESDAY
    assert only(recognizer) is process


async def test_an_agent_is_refused_with_the_words_that_nobody_can_hear(recognizer: PocketSphinx) -> None:
    with pytest.raises(
        AgentError, match=r"agent a: .* no pronunciation of '24', 'zyxgrblq': write numbers out"
    ):
        recognizer.check(asked(TUESDAY, "zyxgrblq", "at 24"))
    assert pool(recognizer)._grammars == {}
    recognizer.check(AGENT)


def test_an_agent_without_a_grammar_is_refused_and_told_what_to_do() -> None:
    silent = AGENT.model_copy(update={"name": "kim", "grammar": ""})
    with pytest.raises(AgentError) as refused:
        PocketSphinx(1).check(silent)
    assert str(refused.value) == (
        "agent kim has no grammar, which pocketsphinx needs: write its `grammar` (JSGF), "
        "or name another provider in its `stt` or in STT_PROVIDERS"
    )


async def test_an_agent_whose_rules_multiply_is_refused(recognizer: PocketSphinx) -> None:
    rules = "".join(f"<r{n}> = <r{n - 1}> <r{n - 1}>;\n" for n in range(1, 40))
    grammar = f"#JSGF V1.0;\ngrammar a;\n<r0> = {TUESDAY};\n{rules}public <a> = <r39>;\n"
    with pytest.raises(AgentError, match=r"agent a: the grammar has more than 10000 words"):
        recognizer.check(AGENT.model_copy(update={"grammar": grammar}))


def test_the_agents_that_ship_can_be_heard() -> None:
    for agent in load_agents(Path(__file__).parents[2] / "agents").values():
        assert dictionary.problem(agent.grammar) == "", agent.name
