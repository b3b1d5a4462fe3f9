from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from voxbus.common import events as ev
from voxbus.common.agents import Agent
from voxbus.common.events import Stored
from voxbus.gateway.core_caller import CallerAudio, resume_at_ms
from voxbus.gateway.core_ring import KEPT_MS, ReplayRing

SID = "CA" + "0" * 32
FRAME = bytes(160)


@given(st.lists(st.integers(1, 900), max_size=30))
def test_pieces_of_any_size_become_frames_without_a_gap(sizes: list[int]) -> None:
    audio = bytes(i % 256 for i in range(sum(sizes)))
    caller = CallerAudio(0)
    frames = []
    at = 0
    for size in sizes:
        frames += caller.feed(audio[at : at + size], at // 8, 0)
        at += size
    assert [sequence for sequence, _, _ in frames] == list(range(len(audio) // 160))
    assert [media_ms for _, media_ms, _ in frames] == [20 * i for i in range(len(frames))]
    assert b"".join(piece for _, _, piece in frames) == audio[: len(frames) * 160]


def test_audio_that_the_carrier_left_out_moves_the_media_clock_and_not_the_count() -> None:
    caller = CallerAudio(0)
    caller.feed(FRAME, 0, 0)
    assert caller.feed(FRAME, 500, 0) == [(1, 500, FRAME)]
    assert caller.feed(FRAME, 520, 0) == [(2, 520, FRAME)]


def test_a_clock_that_runs_backwards_or_wild_is_not_followed() -> None:
    caller = CallerAudio(0)
    caller.feed(FRAME, 1000, 0)
    assert caller.feed(FRAME, 0, 0)[0][1] == 1020
    assert caller.feed(FRAME, 10**15, 0)[0][1] == 1040
    assert caller.feed(FRAME, -1, 0)[0][1] == 1060


def test_a_time_on_the_media_clock_is_found_on_ours() -> None:
    caller = CallerAudio(5000)
    assert caller.when(0) == 5000
    caller.feed(FRAME, 0, 6000)
    caller.feed(FRAME, 20, 6021)
    assert caller.when(20) == 6021
    assert caller.when(0) == 6001
    assert caller.when(900) == 6021  # not later than what we have


def test_a_call_that_comes_back_goes_on_behind_everything_that_has_a_name(
    stored: Callable[..., list[Stored]], agent: Agent
) -> None:
    started = ev.Started(call=SID, stream_sid="MZ0", session="s", direction="inbound", agent=agent)
    speech = ev.SpeechStarted(call=SID, holder=2, media_ms=7000, over_agent=False)
    log = stored(started, speech)  # stored at 1001 and 1002
    assert resume_at_ms(log, now_s=1004.0) == 7400
    assert resume_at_ms(log, now_s=1021.005) == 20420
    assert resume_at_ms(log, now_s=1004.0, reached=2000) == 40_400
    assert resume_at_ms(log, now_s=1021.005, reached=100) == 20420
    caller = CallerAudio(0, begin_ms=20420)
    assert caller.feed(FRAME, 0, 0) == [(1021, 20420, FRAME)]
    assert caller.feed(FRAME, 20, 0) == [(1022, 20440, FRAME)]


def test_a_call_that_rang_begins_at_0(stored: Callable[..., list[Stored]]) -> None:
    assert resume_at_ms(stored(ev.Status(call=SID, sequence=1, status="ringing")), now_s=1021.0) == 0
    assert resume_at_ms([], now_s=1021.0) == 0


def test_the_ring_keeps_the_last_45_seconds() -> None:
    ring = ReplayRing()
    for i in range(3000):
        ring.add(i, i * 20, b"%d" % i)
    assert len(ring.messages()) == KEPT_MS // 20
    assert ring.messages()[-1] == b"2999"


def test_the_ring_forgets_a_turn_but_for_its_last_300_ms() -> None:
    ring = ReplayRing()
    for i in range(100):
        ring.add(i, i * 20, b"%d" % i)
    ring.turn_ended(1000)
    assert ring.messages()[0] == b"35"
    ring.turn_ended(900)  # an older one changes nothing
    assert ring.messages()[0] == b"35"
    ring.turn_ended(10_000)
    assert ring.messages() == []


def test_the_ring_gives_what_comes_from_a_sequence_number_on() -> None:
    ring = ReplayRing()
    for i in range(100, 200):
        ring.add(i, i * 20, b"%d" % i)
    assert ring.messages(198) == [b"198", b"199"]
    assert ring.messages(200) == ring.messages(500) == []
    assert len(ring.messages(50)) == 100
    ring.turn_ended(3800)
    assert ring.messages(150)[0] == b"175"
