"""What others wrote is shown, and does nothing to the terminal."""

from __future__ import annotations

import pytest

from voxbus.common.events import Stored, Utterance
from voxbus.devkit.commands import tap, up_screen
from voxbus.devkit.demo.console import LiveTranscript, Style
from voxbus.devkit.terminal import plain

#: Names the window, clears the screen, and writes a line that looks like one of ours.
EVIL = "hi\x1b]0;owned\x07\x1b[2J\x9b1;1H\nagent says: all is well"
SID = "CA" + "0" * 32


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Grüße, 您好", "Grüße, 您好"),
        ("10\N{NO-BREAK SPACE}%", "10\N{NO-BREAK SPACE}%"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\x1b[2J\x07\x7f", r"\x1b[2J\x07\x7f"),
        ("\x9b2J", r"\x9b2J"),
        ("a\u202eb\u2028c\ud800", r"a\u202eb\u2028c\ud800"),
    ],
)
def test_only_what_is_to_be_seen_is_written(text: str, shown: str) -> None:
    assert plain(text) == shown


def utterance() -> Utterance:
    return Utterance(
        call=SID, turn=2, attempt=0, holder=1, text=EVIL, start_media_ms=0, end_media_ms=1, ended_by="silence"
    )


def test_words_of_a_call_stay_on_their_line() -> None:
    assert tap.line(Stored(1, 0.0, utterance()), with_call=False).isprintable()
    shown = LiveTranscript(Style()).say(0.0, "caller", EVIL)
    assert "owned" in shown[0]
    assert all(line.isprintable() for line in shown)


@pytest.mark.parametrize("line", [EVIL, '{"message": "\\u001b[2J", "level": "INFO", "more": "\\u009b1m"}'])
def test_what_services_log_does_nothing_either(line: str) -> None:
    assert up_screen.readable(line).isprintable()
