"""When the notice of a recording is taken for heard: only when all of it sounded."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from voxbus.common import events as ev

from .line import TOKEN, Line

Speech = Callable[..., bytes]
TEXT = "This call is recorded for training."


@pytest.mark.parametrize("kept", [0, 400, 1200])
def test_a_notice_with_a_hole_in_it_was_not_heard(kept: int, speech: Speech) -> None:
    """Pieces are lost on the way; the end comes, and the mark of what was sent comes back. ``kept``: ms before."""
    line = Line(inbound=True)
    line.log(line.sentence(0, TEXT, 1, interruptible=False, notice="end"), line.sentence(1, TEXT))
    line.log(line.reply_ended(2))
    notice, greeting = speech(2000), speech(500, seed=2)
    if kept:
        line.audio(notice[: kept * 8], last=False)
    line.audio(notice[1600 * 8 :] if kept else b"", offset=1600 * 8 if kept else 0)
    line.audio(greeting, sentence=1)
    line.run(4000)
    first, second = line.of(ev.Heard)
    assert (first.sentence, first.complete) == (0, False)
    assert first.played_ms <= kept + 400
    assert (second.sentence, second.complete) == (1, True)
    assert greeting in bytes(line.heard)
    assert not line.player._stage.notified


def test_a_notice_of_which_another_worker_says_nothing_was_not_heard(speech: Speech) -> None:
    line = Line(inbound=True)
    line.log(line.sentence(0, TEXT, 1, interruptible=False, notice="end"), line.reply_ended(1))
    line.audio(speech(400), last=False)
    line.run(200)
    line.audio(b"", token=TOKEN + 1)
    line.run(3000)
    assert [heard.complete for heard in line.of(ev.Heard)] == [False]
