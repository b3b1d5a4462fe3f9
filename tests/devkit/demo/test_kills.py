"""The right worker dies at the right moment."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from voxbus.common.agents import Voice
from voxbus.common.events import Sentence, Stored, Utterance
from voxbus.devkit.demo.facts import Moment
from voxbus.devkit.demo.kills import Killer

from .call_maker import SID


def utterance(turn: int, **fields: Any) -> Stored:
    event = Utterance(
        call=SID, holder=1, turn=turn, text="yes", start_media_ms=0, end_media_ms=500, ended_by="silence"
    )
    return Stored(turn, 0.0, replace(event, **fields))


def sentence(turn: int, index: int = 0) -> Stored:
    return Stored(100, 0.0, Sentence(call=SID, turn=turn, index=index, text="Yes.", voice=Voice()))


class Scene:
    """Two workers, of which ``busy`` works; ``killed`` says what happened to whom, and when."""

    def __init__(self, plan: dict[int, Moment], busy: str | None = "llm-1") -> None:
        self.busy = busy
        self.asked = 0
        self.killed: list[tuple[str, int, Moment]] = []
        self.dead = asyncio.Event()
        self.killer = Killer(plan, self._find, self._kill)

    async def _find(self) -> str | None:
        self.asked += 1
        return self.busy if self.asked > 1 else None  # the job takes a moment to arrive

    def _kill(self, name: str, turn: int, moment: Moment) -> None:
        self.killed.append((name, turn, moment))
        self.dead.set()


async def test_before_the_first_word_it_needs_no_sentence() -> None:
    scene = Scene({3: "first_word"})
    scene.killer.notice(utterance(2))
    scene.killer.notice(utterance(3))
    await asyncio.wait_for(scene.dead.wait(), 30)
    assert scene.killed == [("llm-1", 3, "first_word")]


async def test_a_guess_is_worked_on_as_any_other_turn() -> None:
    scene = Scene({3: "first_word"})
    scene.killer.notice(utterance(3, final=False))
    await asyncio.wait_for(scene.dead.wait(), 30)
    assert scene.killed == [("llm-1", 3, "first_word")]


async def test_in_mid_reply_it_waits_for_the_first_sentence() -> None:
    scene = Scene({3: "mid_reply"})
    scene.killer.notice(utterance(3))
    while scene.asked < 2:
        await asyncio.sleep(0.001)
    scene.killer.notice(sentence(2))
    scene.killer.notice(sentence(3, index=1))
    for _ in range(5):
        await asyncio.sleep(0)
    assert scene.killed == []
    scene.killer.notice(sentence(3))
    await asyncio.wait_for(scene.dead.wait(), 30)
    assert scene.killed == [("llm-1", 3, "mid_reply")]


async def test_a_sentence_that_was_faster_than_the_question_is_not_missed() -> None:
    scene = Scene({3: "mid_reply"})
    scene.killer.notice(utterance(3))
    scene.killer.notice(sentence(3))
    await asyncio.wait_for(scene.dead.wait(), 30)
    assert scene.killed == [("llm-1", 3, "mid_reply")]


async def test_a_hum_kills_nobody_and_nobody_dies_twice() -> None:
    scene = Scene({3: "first_word"})
    scene.killer.notice(utterance(3, backchannel=True))
    for _ in range(5):
        await asyncio.sleep(0)
    assert scene.asked == 0
    scene.killer.notice(utterance(3))
    scene.killer.notice(utterance(3))
    await asyncio.wait_for(scene.dead.wait(), 30)
    await asyncio.sleep(0.1)
    assert len(scene.killed) == 1
