"""What the terminal shows: words that were heard, lines that fit, no colour where none is wanted."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest

from voxbus.common.events import Sentence, Stored, ToolReturned
from voxbus.devkit.demo.checks import check
from voxbus.devkit.demo.console import LiveTranscript, Style, report
from voxbus.devkit.demo.summary import Check, Summary

from .sample_call import SampleCall

PLAIN = Style(width=100)


def transcript(call: SampleCall, style: Style = PLAIN) -> list[str]:
    live = LiveTranscript(style)
    return [line for stored in call.log for line in live.lines(stored)]


def checked(call: SampleCall) -> Summary:
    summary = call.summary()
    return summary.with_checks(check(summary, call.facts, ["mid_reply"]))


def test_the_transcript_holds_what_was_heard(sample: SampleCall) -> None:
    said = [re.sub(r"\s+", " ", line[8:]).strip() for line in transcript(sample)]
    assert said == [
        "agent Hello, this is the clinic.",
        "agent You have an appointment on Tuesday at ten.",
        "caller can you repeat that",
        "caller mm-hm [a hum, the agent goes on]",
        "agent Of course. You have an appointment on Tuesday the fourth at ten in the morning.",
        "caller i would like to reschedule",
        "agent I can offer Wednesday at nine, [cut off]",
        "[interrupted]",
        "caller thursday at two",
        "agent Thursday at two, then.",
        "agent I have moved your appointment.",
        "agent Press one if that is right.",
        "caller [presses 1]",
        "caller [presses #]",
        "agent Thank you.",
        "agent You are booked for Thursday at two.",
        "caller goodbye",
        "agent Goodbye, and see you on Thursday.",
        "[call ended: agent hung up]",
    ]


def test_of_calls_that_overlap_every_line_says_whose_it_is(sample: SampleCall) -> None:
    live = LiveTranscript(Style(width=40), "out")
    entries = [lines for stored in sample.log if (lines := live.lines(stored))]
    assert all(first.startswith("  out  ") for first, *_ in entries)
    assert max(len(line) for lines in entries for line in lines) <= 40
    unlabelled = " ".join(line.replace("  out  ", "  ", 1) for lines in entries for line in lines)
    assert unlabelled.split() == " ".join(transcript(sample)).split()


def test_clocks_never_run_backwards(sample: SampleCall) -> None:
    clocks = [line[:8].strip() for line in transcript(sample) if line[:8].strip()]
    assert clocks == sorted(clocks, key=lambda clock: (len(clock), clock))
    assert clocks[-1] == "0:34.2"


@pytest.mark.parametrize("width", [40, 60, 80, 88, 100, 120])
@pytest.mark.parametrize("unicode", [True, False])
def test_every_line_fits(sample: SampleCall, width: int, unicode: bool) -> None:
    style = Style(width=width, unicode=unicode)
    lines = [*transcript(sample, style), *report(checked(sample), style)]
    assert max(map(len, lines)) <= width
    if not unicode:
        assert "".join(report(checked(sample), style)).isascii()


def test_colours_are_only_where_they_are_wanted(sample: SampleCall) -> None:
    plain, coloured = report(checked(sample), PLAIN), report(checked(sample), replace(PLAIN, colour=True))
    assert "\x1b" not in "".join(plain)
    assert "\x1b" in "".join(coloured)
    assert [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in coloured] == plain


def test_a_pipe_gets_no_colour() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert Style.of(stream, {}) == Style(Style.of(stream, {}).width, colour=False, unicode=False)


def test_the_table_has_a_line_a_turn(sample: SampleCall) -> None:
    lines = report(checked(sample), PLAIN)
    assert lines[3].split()[0] == "2"
    assert lines[3].endswith("508       14      18        43      41         7     631     640")


def test_a_failed_check_is_explained_and_a_passed_one_is_not(sample: SampleCall) -> None:
    summary = sample.summary().with_checks(
        [Check("good", True, "hidden"), Check("bad", False, "expected a; seen: b")]
    )
    text = "\n".join(report(summary, PLAIN))
    assert "✓ good" in text
    assert "hidden" not in text
    assert "✗ bad\n      expected a; seen: b" in text


@pytest.mark.parametrize(
    ("name", "ok", "told"),
    [
        ("look_up", True, ["[look_up answered in 12 ms]"]),
        ("book", False, ["[book failed in 12 ms]"]),
        ("end_call", True, []),
    ],
)
def test_a_tool_is_told_by_what_came_of_it_and_not_by_what_it_said(
    sample: SampleCall, name: str, ok: bool, told: list[str]
) -> None:
    live = LiveTranscript(PLAIN)
    begun = next(index for index, stored in enumerate(sample.log) if isinstance(stored.event, Sentence))
    for stored in sample.log[: begun + 1]:
        live.lines(stored)
    of = {"call": stored.event.call, "turn": 1, "index": 0, "name": name}
    returned = ToolReturned(**of, ok=ok, result="sekret", duration_ms=12.3)  # type: ignore[arg-type]
    lines = live.lines(Stored(stored.sequence + 1, stored.time_s, returned))
    assert [line[18:] for line in lines] == told
