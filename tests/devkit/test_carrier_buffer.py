"""The playout buffer, on virtual time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voxbus.devkit.carrier.core_buffer import SILENCE, PlayoutBuffer


def test_media_plays_in_order_and_at_the_pace_of_time() -> None:
    buffer = PlayoutBuffer()
    buffer.media(b"a" * 200)
    buffer.media(b"b" * 120)
    first, second, third = buffer.play(160), buffer.play(160), buffer.play(160)
    assert first.audio == b"a" * 160
    assert second.audio == b"a" * 40 + b"b" * 120
    assert third.audio == SILENCE * 160
    assert (first.agent_bytes, second.agent_bytes, third.agent_bytes) == (160, 160, 0)


def test_a_short_rest_is_filled_up_with_silence() -> None:
    buffer = PlayoutBuffer()
    buffer.media(b"a" * 10)
    played = buffer.play(160)
    assert played.audio == b"a" * 10 + SILENCE * 150
    assert played.agent_bytes == 10


def test_a_mark_comes_back_when_all_before_it_was_played() -> None:
    buffer = PlayoutBuffer()
    buffer.media(b"a" * 320)
    assert buffer.mark("one") == ()
    buffer.media(b"b" * 160)
    assert buffer.mark("two") == ()
    assert [buffer.play(160).marks for _ in range(3)] == [(), ("one",), ("two",)]


def test_a_mark_comes_back_at_once_when_nothing_is_queued() -> None:
    buffer = PlayoutBuffer()
    assert buffer.mark("idle") == ("idle",)
    buffer.media(b"a" * 160)
    buffer.play(160)
    assert buffer.mark("played") == ("played",)


def test_clear_drops_what_is_queued_and_brings_back_every_pending_mark() -> None:
    buffer = PlayoutBuffer()
    buffer.media(b"a" * 320)
    buffer.mark("one")
    buffer.media(b"a" * 320)
    buffer.mark("two")
    buffer.play(160)
    assert buffer.clear() == ("one", "two")
    assert buffer.pending_marks == ()
    assert buffer.play(160).agent_bytes == 0


def test_what_comes_after_a_clear_plays_as_ever() -> None:
    buffer = PlayoutBuffer()
    buffer.media(b"a" * 1000)
    buffer.mark("gone")
    buffer.clear()
    buffer.media(b"b" * 160)
    assert buffer.mark("next") == ()
    assert buffer.play(160).marks == ("next",)


STEP = st.one_of(
    st.tuples(st.just("media"), st.integers(1, 500)),
    st.tuples(st.just("mark"), st.just(0)),
    st.tuples(st.just("clear"), st.just(0)),
    st.tuples(st.just("play"), st.integers(1, 300)),
)


@given(st.lists(STEP, max_size=60))
def test_every_mark_comes_back_once_in_order_and_not_before_its_audio(steps: list[tuple[str, int]]) -> None:
    buffer = PlayoutBuffer()
    sent: list[str] = []
    back: list[str] = []
    waiting: dict[str, int] = {}  # bytes that are still to be played before the mark
    for what, size in steps:
        match what:
            case "media":
                buffer.media(b"x" * size)
            case "mark":
                sent.append(str(len(sent)))
                waiting[sent[-1]] = buffer.queued_bytes
                back += buffer.mark(sent[-1])
            case "clear":
                back += buffer.clear()
                waiting = dict.fromkeys(waiting, 0)
                assert buffer.queued_bytes == 0
            case _:
                played = buffer.play(size)
                assert len(played.audio) == size
                waiting = {name: left - played.agent_bytes for name, left in waiting.items()}
                back += played.marks
        assert all(waiting[name] <= 0 for name in back)
        assert set(buffer.pending_marks) == {name for name in sent if waiting[name] > 0}
    back += buffer.clear()
    assert back == sent


@given(st.lists(st.binary(min_size=1, max_size=400), max_size=20), st.integers(1, 333))
def test_nothing_is_lost_and_nothing_repeated(payloads: list[bytes], step: int) -> None:
    buffer = PlayoutBuffer()
    for payload in payloads:
        buffer.media(payload)
    heard = b""
    while buffer.queued_bytes:
        played = buffer.play(step)
        heard += played.audio[: played.agent_bytes]
    assert heard == b"".join(payloads)
