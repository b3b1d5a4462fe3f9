from __future__ import annotations

from typing import Any

import pytest

from voxbus.common import events as ev
from voxbus.common.agents import Agent, Voice
from voxbus.devkit.commands.tap import line
from voxbus.devkit.core_narrate import PUBLISHERS, narrate

SID = "CA" + "0" * 32


def one_of_each(agent: Agent) -> list[tuple[ev.Event, str]]:
    """Every kind of event, and something that its line must say."""
    turn: dict[str, Any] = {"call": SID, "turn": 3}
    stt: dict[str, Any] = {"call": SID, "holder": 7}
    gateway: dict[str, Any] = {"call": SID, "stream_sid": "MZ1"}
    place: dict[str, Any] = {**gateway, "turn": 3, "sentence": 1}
    return [
        (
            ev.Started(**gateway, session="s", direction="inbound", from_number="+1555", agent=agent),
            "from +1555",
        ),
        (ev.Resumed(**gateway), "back"),
        (ev.Attached(call=SID, worker="w7", nonce="n"), "w7"),
        (ev.SpeechStarted(**stt, media_ms=10, over_agent=True), "over the agent"),
        (ev.BargeIn(**stt, media_ms=10, by="words"), "words"),
        (_utterance(text="yes please"), "turn 3: “yes please”, after 500 ms of silence"),
        (_utterance(text="", ended_by="machine"), "turn 3: a machine"),
        (ev.UtteranceConfirmed(**stt, turn=3, attempt=1), "turn 3b"),
        (ev.UtteranceWithdrawn(**stt, turn=3, attempt=0), "withdrawn"),
        (ev.Sentence(**turn, index=0, text="Fine.", voice=Voice()), "“Fine.”"),
        (ev.ReplyEnded(**turn, sentences=1, reason="complete", provider="scripted"), "1 sentence (scripted)"),
        (ev.ToolCalled(**turn, index=0, name="end_call"), "calls end_call {}"),
        (ev.ToolReturned(**turn, index=0, name="end_call", ok=False), "failed"),
        (ev.Heard(**place, complete=True, played_ms=900, text="Fine.", known_by="mark"), "heard whole"),
        (ev.Paused(**place, played_ms=300, media_ms=9, reaction_ms=80.4), "held at 300 ms, 80 ms after"),
        (ev.Continued(**place, media_ms=9), "goes on"),
        (ev.Interrupted(**place, played_ms=300, text="Your"), "interrupted; heard “Your” (300 ms)"),
        (ev.Dtmf(**gateway, sequence=1, digit="5", media_ms=9), "key 5"),
        (ev.Status(call=SID, sequence=1, status="completed"), "completed"),
        (ev.HangupRequested(**turn, reason="goodbye"), "hang up (goodbye)"),
        (ev.TransferRequested(**turn, target="desk"), "transfer to desk"),
        (ev.DoNotCallRequested(**turn, text="take me off"), "not to be called again"),
        (ev.RecordingStarted(**gateway, store="s", place="CA/MZ.wav"), "recorded from here on: CA/MZ.wav"),
        (ev.RecordingEnded(**gateway, length_ms=900), "900 ms were recorded"),
        (ev.RecordingEnded(**gateway, lost_ms=20, cause="ENOSPC"), "recorded, 20 ms lost: ENOSPC"),
        (ev.Disconnected(**gateway, code=1006), "1006"),
        (ev.Ended(call=SID, reason="caller_hung_up"), "caller hung up"),
        (ev.ReportDelivered(call=SID, attempts=2), "attempt 2"),
        (ev.ReportLost(call=SID, attempts=4, error="503"), "LOST after 4 attempts (503)"),
    ]


def _utterance(**fields: Any) -> ev.Utterance:
    usual: dict[str, Any] = {"call": SID, "holder": 7, "turn": 3, "text": "", "start_media_ms": 0}
    usual |= {"end_media_ms": 9, "ended_by": "silence", "endpoint_ms": 500.0}
    return ev.Utterance(**(usual | fields))


def test_every_kind_has_a_line_of_its_own(agent: Agent) -> None:
    told = one_of_each(agent)
    assert {type(event) for event, _ in told} == set(ev.KINDS.values()) == set(PUBLISHERS)
    for event, expected in told:
        assert expected in narrate(event), event.kind


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"ended_by": "no_input"}, "no words (no input)"),
        ({"text": "mm-hm", "backchannel": True}, "“mm-hm”, in passing"),
        ({"text": "yes", "final": False}, "perhaps"),
        ({"text": "yes", "attempt": 2}, "turn 3c"),
    ],
)
def test_utterances_that_are_not_plain(fields: dict[str, Any], expected: str) -> None:
    assert expected in narrate(_utterance(**fields))


def test_a_line_of_the_tap_says_when_and_who() -> None:
    stored = ev.Stored(
        9, 1_700_000_000.5, ev.Dtmf(call=SID, stream_sid="MZ1", sequence=1, digit="5", media_ms=9)
    )
    assert line(stored, with_call=False).split()[1:] == ["gateway", "dtmf", "key", "5"]
    assert line(stored, with_call=True).split()[1] == SID[-6:]
