"""Which frame lies beside which, on virtual time."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from voxbus.gateway.recording.core_tape import QUIET, STALL_MS, Tape

FRAME_MS = 20


def frame(number: int) -> bytes:
    """One that is no silence, and unlike any other."""
    return number.to_bytes(4) * 40


def agents(*numbers: int) -> bytes:
    return b"".join(frame(1_000_000 + number) for number in numbers)


class Line:
    """A line without delay: the caller's frame ``n`` comes at ``n`` * 20 ms, unless it is held up."""

    def __init__(self) -> None:
        self.tape = Tape(0.0)
        self.tape.runs = True
        self.sent = 0

    def frames(self, count: int, *, at_ms: float | None = None) -> None:
        """The next frames of the caller. ``at_ms``: all of them then."""
        for _ in range(count):
            media_ms = self.sent * FRAME_MS
            self.tape.caller(media_ms, frame(self.sent), media_ms if at_ms is None else at_ms)
            self.sent += 1

    def sides(self) -> tuple[list[bytes], list[bytes]]:
        pairs = self.tape.take()
        return pairs[::2], pairs[1::2]


def numbers(side: Sequence[bytes]) -> list[int | None]:
    """Of the agent's frames; None = silence."""
    return [None if audio == QUIET else int.from_bytes(audio[:4]) - 1_000_000 for audio in side]


def test_the_agents_frames_lie_where_they_are_heard() -> None:
    line = Line()
    line.frames(3)
    line.tape.sent(agents(1, 2), 45.0)
    line.frames(4)
    caller, agent = line.sides()
    assert caller == [frame(number) for number in range(7)]
    assert numbers(agent) == [None, None, None, 1, 2, None, None]


def test_nothing_is_kept_before_it_runs_and_the_place_in_the_agents_words_is() -> None:
    line = Line()
    line.tape.runs = False
    line.tape.sent(agents(1, 2, 3), 0.0)
    line.frames(2)
    assert line.tape.take() == []
    line.tape.runs = True
    line.frames(2)
    assert numbers(line.sides()[1]) == [3, None]


def test_what_was_cleared_is_not_there() -> None:
    line = Line()
    line.tape.sent(agents(*range(50)), 0.0)
    line.frames(10)
    line.tape.cleared(185.0)
    line.tape.sent(agents(99), 185.0)  # how the cut word fades
    line.frames(3)
    assert numbers(line.sides()[1]) == [*range(10), 99, None, None]


def test_frames_that_come_late_do_not_make_unheard_what_was_played() -> None:
    line = Line()
    line.tape.sent(agents(*range(50)), 0.0)
    line.frames(10)
    # From 200 ms on nothing comes in; at 600 ms the carrier has played 30 frames.
    line.tape.cleared(600.0)
    line.frames(25, at_ms=700.0)
    line.frames(10)
    assert numbers(line.sides()[1]) == [*range(30), *[None] * 15]


def test_what_is_sent_while_frames_are_late_lies_behind_them() -> None:
    line = Line()
    line.frames(10)
    line.tape.sent(agents(1, 2), 680.0)
    line.frames(25, at_ms=700.0)
    line.frames(1)
    found = numbers(line.sides()[1])
    assert found.index(1) == 10 + 25  # the first one that comes in after it
    assert len(found) == 36


def test_lost_frames_are_silence_and_the_agent_goes_on() -> None:
    line = Line()
    line.tape.sent(agents(*range(10)), 0.0)
    line.frames(2)
    line.sent += 3  # lost
    line.frames(2)
    caller, agent = line.sides()
    assert caller == [frame(0), frame(1), QUIET, QUIET, QUIET, frame(5), frame(6)]
    assert numbers(agent) == list(range(7))


def test_a_media_clock_that_is_no_multiple_of_a_frame_adds_up_to_nothing() -> None:
    tape = Tape(0.0)
    tape.runs = True
    at_ms = 0
    for number in range(100):
        at_ms += 27 if number % 2 else 13  # gaps of 7 ms, and frames 7 ms early
        tape.caller(at_ms, frame(number), float(at_ms))
    assert tape.waiting == 100


def test_a_media_clock_that_jumps_makes_no_more_silence_than_time_has_passed() -> None:
    """Whoever sends such frames would fill the memory that all recordings share."""
    tape = Tape(0.0)
    tape.runs = True
    for number in range(50):
        tape.caller(number * 60_000, frame(number), number * 20.0)
    assert tape.waiting <= 50 + STALL_MS / FRAME_MS
    assert [audio for audio in tape.take()[::2] if audio != QUIET] == [frame(number) for number in range(50)]
    # And goes on from there.
    tape.caller(49 * 60_000 + FRAME_MS, frame(50), 1000.0)
    tape.caller(49 * 60_000 + 1001 * FRAME_MS, frame(51), 21_000.0)
    kept = tape.take()[::2]
    assert (kept[0], kept[-1], len(kept)) == (frame(50), frame(51), 1001)


def test_the_line_goes_on_when_nothing_comes_and_late_frames_have_lost_their_place() -> None:
    line = Line()
    line.tape.sent(agents(*range(300)), 0.0)
    line.frames(5)
    for at_ms in range(100, 5000, 100):
        line.tape.tick(float(at_ms))
    caller, agent = line.sides()
    silent = len(caller) - 5
    assert abs(silent * FRAME_MS - (5000 - 100 - STALL_MS)) <= 120
    assert numbers(agent) == list(range(5 + silent))
    line.frames(silent + 2, at_ms=5000.0)
    assert line.tape.late == silent
    assert line.tape.waiting == 2


Step = tuple[str, int]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("frames"), st.integers(1, 30)),
        st.tuples(st.just("send"), st.integers(1, 60)),
        st.tuples(st.just("clear"), st.just(0)),
        st.tuples(st.just("lose"), st.integers(1, 20)),
    ),
    max_size=40,
)


@given(steps=steps, offset_ms=st.floats(0.0, 19.0))
def test_it_is_what_a_carrier_plays(steps: list[Step], offset_ms: float) -> None:
    """Both sides are equally long, and the agent's is that of a carrier that plays a frame whenever it sends one."""
    line = Line()
    holds: deque[int] = deque()
    plays: list[int | None] = []
    said = 0
    line.frames(1)
    plays.append(None)
    for step, count in steps:
        now_ms = (line.sent - 1) * FRAME_MS + offset_ms
        match step:
            case "send":
                line.tape.sent(agents(*range(said, said + count)), now_ms)
                holds.extend(range(said, said + count))
                said += count
            case "clear":
                line.tape.cleared(now_ms)
                holds.clear()
            case "lose" | "frames":
                if step == "lose":
                    line.sent += count
                line.frames(1 if step == "lose" else count)
                for _ in range(count + (step == "lose")):
                    plays.append(holds.popleft() if holds else None)
            case _:
                raise AssertionError(step)
    caller, agent = line.sides()
    assert len(caller) == len(agent) == line.sent
    assert numbers(agent) == plays
