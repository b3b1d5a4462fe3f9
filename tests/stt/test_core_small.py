"""The small pure parts: words, digits, frames, rules, poison."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus.common.agents import Dtmf
from voxbus.common.codec import AudioIn
from voxbus.stt.core_digits import Digits
from voxbus.stt.core_frames import WINDOW_BYTES, FrameLine, late_ms
from voxbus.stt.core_poison import is_poison
from voxbus.stt.core_words import is_backchannel, is_echo, join

NOISES = ("mm-hm", "uh-huh", "i see", "okay")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mm-hm", True),
        ("Mm-hm.", True),
        ("i see", True),
        ("okay okay", True),
        ("okay mm-hm", True),
        ("i", False),
        ("okay cancel it", False),
        ("", False),
    ],
)
def test_backchannels(text: str, expected: bool) -> None:
    assert is_backchannel(text, NOISES) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("appointment is on", True),
        ("your appointment is on tuesday", True),
        ("tuesday", False),  # may be the answer
        ("on tuesday", False),
        ("appointment on is", False),
        ("cancel my appointment is on", False),
    ],
)
def test_echo(text: str, expected: bool) -> None:
    assert is_echo(text, "Your appointment is on Tuesday, at three.") is expected


def test_join() -> None:
    assert join("", "a", "", "b") == "a b"


def test_a_terminator_alone_is_nothing() -> None:
    assert Digits(Dtmf()).press("#", 0) == ""


def test_digits_wait_from_the_last_key() -> None:
    digits = Digits(Dtmf(timeout_ms=2000))
    digits.press("1", 0)
    digits.press("2", 1900)
    assert digits.tick(3000) == ""
    assert digits.tick(3900) == "12"
    assert digits.span_ms == (0, 1900)
    assert digits.tick(9000) == ""


def frame(sequence: int, *, media_ms: int | None = None) -> AudioIn:
    at = sequence * 20 if media_ms is None else media_ms
    return AudioIn(sequence, at, 0, 0, bytes([sequence % 251]) * 160)


def windows(line: FrameLine) -> list[tuple[int, bytes]]:
    found = []
    while (window := line.window()) is not None:
        found.append(window)
    return found


@given(st.lists(st.integers(0, 60), max_size=120), st.integers(0, 20))
def test_replayed_and_live_frames_in_any_overlap_make_one_line(order: list[int], start: int) -> None:
    """Repeated and late frames add nothing; every byte of the others comes out once, in order, at its place."""
    line = FrameLine()
    line.put(frame(start))
    highest, expected, missing = start, bytearray(frame(start).audio), 0
    got = []
    for sequence in order:
        taken = line.put(frame(sequence))
        assert taken == (sequence > highest)
        if taken:
            hole = sequence - highest - 1
            missing += hole
            expected += b"\xff" * 160 * hole + frame(sequence).audio
            highest = sequence
        got += windows(line)
    audio = b"".join(window for _, window in got)
    assert audio == expected[: len(audio)]
    assert len(expected) - len(audio) < WINDOW_BYTES
    assert line.missing_frames == missing
    assert [at for at, _ in got] == [start * 20 + 32 * i for i in range(len(got))]


def test_the_line_keeps_what_a_recognition_needs_from_before() -> None:
    line = FrameLine()
    for sequence in range(500):
        line.put(frame(sequence))
        windows(line)
    at_ms = 500 * 20 - 400
    assert (
        line.since(at_ms)
        == b"".join(frame(i).audio for i in range(at_ms // 20, 500))[: len(line.since(at_ms))]
    )
    assert len(line.since(at_ms)) >= 350 * 8
    assert line.since(-5) != b""


def test_a_line_that_steps_back_gives_the_same_audio_again() -> None:
    line = FrameLine()
    for sequence in range(10):
        line.put(AudioIn(sequence, sequence * 20, 0, 0, bytes(range(160))))
    first, second = line.window(), line.window()
    line.step_back(16)
    again = line.window()
    assert first is not None
    assert second is not None
    assert again is not None
    assert again[0] == second[0] + 16
    assert again[1][:128] == second[1][128:]


def test_what_was_audible_belongs_to_its_time() -> None:
    line = FrameLine()
    for sequence, turn in enumerate([0, 0, 3, 3, 0]):
        line.put(AudioIn(sequence, sequence * 20, turn, turn, b"\xff" * 160))
    assert [line.audible_at(at)[0] for at in (0, 39, 40, 79, 80, 500)] == [0, 0, 3, 3, 0, 0]


def test_audio_that_the_carrier_lost_is_a_hole_although_no_frame_is_missing() -> None:
    line = FrameLine()
    line.put(frame(0))
    line.put(frame(1, media_ms=120))
    assert line.missing_frames == 0
    assert line.backlog_ms() == 140


def test_a_long_hole_is_a_jump() -> None:
    line = FrameLine()
    line.put(frame(0))
    line.put(frame(1000))
    assert line.backlog_ms() == 40
    line.put(frame(1001))
    assert windows(line)[-1][0] >= 1000 * 20 - 20


@pytest.mark.parametrize(
    ("backlog_ms", "waiting_ms", "burst_ms", "dropped_ms"),
    [
        (0, 0, 0, 0),
        (45_000, 80, 45_000, 0),
        (900, 5000, 900, 0),
        (1000, 3000, 1000, 0),
        (1020, 1500, 1020, 0),
        (1020, 1600, 1020, 520),  # it fell behind, little by little
        (4000, 1200, 6000, 0),  # a replay on a busy machine: it is on its way
        (4500, 4100, 6000, 4000),
    ],
)
def test_who_is_too_slow_gives_up_the_oldest(
    backlog_ms: int, waiting_ms: int, burst_ms: int, dropped_ms: int
) -> None:
    assert late_ms(backlog_ms, waiting_ms, burst_ms) == dropped_ms


@pytest.mark.parametrize(
    ("attached_s", "now_s", "expected"),
    [
        ([], 0, False),
        ([0, 1], 2, False),
        ([0, 1, 2], 3, True),
        ([0, 1, 2], 20, False),  # the third has held it for long
        ([0, 10, 11], 12, False),  # the first did
        ([0, 10, 11, 12], 13, True),
        ([0, 1.5, 3], 4.5, True),  # each dies in the replay, and its lease runs out
        ([0, 4.2, 8.6, 13], 17.3, False),  # somebody kills a worker every few seconds
    ],
)
def test_poison(attached_s: list[float], now_s: float, expected: bool) -> None:
    assert is_poison(attached_s, now_s) is expected
