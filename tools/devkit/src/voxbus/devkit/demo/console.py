"""The call in a terminal: its transcript while it lasts, afterwards where the time went. Text in, lines out: pure."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TextIO

from voxbus.common.events import (
    Dtmf,
    Ended,
    Heard,
    Interrupted,
    ReplyEnded,
    ReportDelivered,
    ReportLost,
    Sentence,
    Stored,
    ToolReturned,
    Utterance,
    UtteranceConfirmed,
)
from voxbus.common.fold import CallState
from voxbus.common.tools import BUILT_IN
from voxbus.devkit.demo.measure import MeasuredTurn
from voxbus.devkit.demo.summary import Check, Summary
from voxbus.devkit.terminal import plain

_INDENT = 18  # clock and speaker
_LABEL = 5
_CODES = {"bold": "1", "dim": "2", "caller": "33", "callee": "33", "agent": "36", "good": "32", "bad": "31"}


@dataclass(frozen=True)
class Style:
    """``width`` in columns. ``colour``: escape sequences may be used; ``unicode``: more than ASCII can be shown."""

    width: int = 100
    colour: bool = False
    unicode: bool = True

    @classmethod
    def of(cls, stream: TextIO, environment: dict[str, str]) -> Style:
        """What ``stream`` can show. https://no-color.org is kept."""
        try:
            "✓“·".encode(stream.encoding or "ascii")
            unicode = True
        except UnicodeEncodeError:
            unicode = False
        width = min(max(shutil.get_terminal_size((100, 24)).columns, 40), 120)
        return cls(width, stream.isatty() and not environment.get("NO_COLOR"), unicode)

    def paint(self, text: str, *names: str) -> str:
        if not self.colour or not text:
            return text
        return f"\x1b[{';'.join(_CODES[name] for name in names)}m{text}\x1b[0m"

    def tick(self, passed: bool) -> str:
        if self.unicode:
            return self.paint("✓", "good") if passed else self.paint("✗", "bad")
        return self.paint("ok", "good") if passed else self.paint("FAILED", "bad")


class LiveTranscript:
    """Fed with every event of a call, gives the lines to print for it.

    The agent's words appear once they were heard, and as far as they were: a transcript of what was generated would
    be a transcript of another call. ``label``: begins every line, where the lines of several calls come mixed.
    """

    def __init__(self, style: Style, label: str = "") -> None:
        self._style = style
        self._label = f"{label:<{_LABEL}}" if label else ""
        self._state = CallState()

    def lines(self, stored: Stored) -> list[str]:
        if not self._state.apply(stored):
            return []
        event, who = stored.event, self._who
        # A call that fails early may end without having started.
        at_s = stored.time_s - (self._state.started_s or stored.time_s)
        match event:
            case Utterance(backchannel=True):
                return self.say(at_s, who, event.text, note="a hum, the agent goes on")
            case Utterance(ended_by="dtmf"):
                return []  # each key was shown when it was pressed
            case Utterance(final=True) if event.text:
                return self.say(at_s, who, event.text)
            case UtteranceConfirmed():
                guessed = self._state.turns[event.turn].utterance
                return self.say(at_s, who, guessed.text) if guessed is not None else []
            case Utterance(final=True):
                return self.say(at_s, who, "", note="speaks first" if event.turn == 1 else "no words")
            case Heard() if event.text or event.complete:
                return self._heard(at_s, event)
            case Interrupted():
                return self.say(at_s, "", "", note="interrupted")
            case Dtmf():
                return self.say(at_s, who, "", note=f"presses {event.digit}")
            case ReportDelivered():
                return self.say(at_s, "", "", note="signed report delivered")
            case ReportLost():
                return self.say(at_s, "", "", note=f"report lost: {event.error}", alarm=True)
            case Ended():
                return self.say(at_s, "", "", note=f"call ended: {event.reason.replace('_', ' ')}")
            case Sentence(fallback=True):
                return self.say(at_s, "", "", note=f"fallback sentence: {event.cause}")
            case ToolReturned(name=name) if name not in BUILT_IN:
                came = "answered" if event.ok else "failed"
                note = f"{name} {came} in {event.duration_ms:.0f} ms"
                return self.say(at_s, "", "", note=note, alarm=not event.ok)
            case ReplyEnded(reason="takeover"):
                return self.say(at_s, "", "", note=f"another worker finished turn {event.turn}")
            case _:
                return []

    @property
    def _who(self) -> str:
        started = self._state.started
        return "callee" if started is not None and started.direction == "outbound" else "caller"

    def say(self, at_s: float, who: str, text: str, *, note: str = "", alarm: bool = False) -> list[str]:
        """A line of the transcript, folded under its own text. ``note``: what happened rather than what was said."""
        style = self._style
        clock = f"{int(at_s) // 60}:{at_s % 60:04.1f}"
        label = style.paint(self._label, "dim")
        head = f"  {label}{style.paint(f'{clock:>6}', 'dim')}  {style.paint(f'{who:<8}', who or 'dim')}"
        indent = _INDENT + len(self._label)
        body = f"{text} [{note}]" if text and note else text or f"[{note}]"
        folded = [plain(line) for line in textwrap.wrap(body, style.width - indent)] or [""]
        tone = ("bad", "bold") if alarm else () if text else ("dim",)
        painted = [style.paint(line, *tone) if tone else line for line in folded]
        return [head + painted[0], *(" " * indent + line for line in painted[1:])]

    def _heard(self, at_s: float, heard: Heard) -> list[str]:
        turn = self._state.turns.get(heard.turn)
        sentence = turn.sentences.get(heard.sentence) if turn else None
        if heard.complete:
            return self.say(at_s, "agent", sentence.event.text if sentence else heard.text)
        return self.say(at_s, "agent", heard.text, note="cut off")


#: Heading, attribute of Latency, what it is.
_COLUMNS = (
    ("turn end", "endpointing_ms"),
    ("recogn.", "recognition_ms"),
    ("tools", "tools_ms"),
    ("token", "first_token_ms"),
    ("sentence", "sentence_ms"),
    ("synth.", "synthesis_ms"),
    ("bus+play", "rest_ms"),
    ("total", "total_ms"),
)


def report(summary: Summary, style: Style) -> list[str]:
    """What is printed when the call is over, without the files."""
    return [*table(summary, style), "", *_highlights(summary, style), "", *_checks(summary.checks, style)]


def table(summary: Summary, style: Style) -> list[str]:
    """Where the time of each turn went, in ms; on a narrow terminal only its total."""
    used = any(m.turn.latency is not None and m.turn.latency.tools_ms for m in summary.turns)
    columns = [column for column in _COLUMNS if used or column[1] != "tools_ms"]
    columns = columns if style.width >= 88 else columns[-1:]
    heads = [*(head for head, _ in columns), "heard"]
    widths = [max(len(head), 6) for head in heads]
    room = style.width - 2 - sum(widths) - 2 * len(widths)
    lines = [
        style.paint("Where each turn's time went, in ms", "bold"),
        style.paint(f"  {'':<{room}}" + _cells(heads, widths), "dim"),
    ]
    for measured in summary.turns:
        latency = measured.turn.latency
        parts = [round(getattr(latency, name)) if latency else None for _, name in columns]
        heard = measured.voice_to_voice_ms
        cells = ["-" if part is None else f"{part}" for part in parts] + [
            "-" if heard is None else f"{heard:.0f}"
        ]
        lines.append(f"  {_title(measured, room, style):<{room}}" + _cells(cells, widths))
    return lines


def _cells(texts: Iterable[str], widths: Iterable[int]) -> str:
    return "".join(f"  {text:>{width}}" for text, width in zip(texts, widths, strict=True))


def _title(measured: MeasuredTurn, room: int, style: Style) -> str:
    turn = measured.turn
    named = turn.caller is None or turn.cause in ("greeting", "silence")
    caused = turn.cause if turn.caller is None or named else turn.caller.text or "no words"
    title = f"{turn.number} {'key ' if turn.cause == 'keys' else ''}{caused}"
    more = "…" if style.unicode else "..."
    return title if len(title) <= room else title[: room - len(more)] + more


def _highlights(summary: Summary, style: Style) -> Iterator[str]:
    middle = summary.median_voice_to_voice_ms()
    if middle is not None:
        yield from _fact(
            "voice to voice", f"{middle:.0f} ms in the median, as the carrier recorded it", style
        )
    for hum in summary.backchannels:
        text = (
            f"the agent held its words for {hum.held_ms:.0f} ms and went on"
            if hum.held_ms
            else "the agent went on"
        )
        yield from _fact(hum.text, text, style)
    for cut in summary.interruptions:
        yield from _fact(
            "interruption", f"silent {cut.stopped_ms:.0f} ms after the caller's first sound", style
        )
    if summary.order is not None:
        steps = ", ".join(f"{s.state.replace('_', ' ')} {s.at_ms / 1000:.1f} s" for s in summary.order.steps)
        yield from _fact("order", steps, style)
    for kill in summary.kills:
        moment = {"first_word": "before its first word", "mid_reply": "in mid-reply"}[kill.moment]
        usual = f"{kill.silence_ms:.0f} ms where {kill.usual_ms:.0f} ms are usual"
        text = f"+{kill.added_ms:.0f} ms of silence, killed in turn {kill.turn} {moment} ({usual})"
        yield from _fact(f"{kill.service} worker", text, style)


def _fact(name: str, text: str, style: Style) -> Iterator[str]:
    first, *more = textwrap.wrap(text, max(20, style.width - _INDENT))
    yield f"  {style.paint(f'{name:<{_INDENT - 2}}', 'bold')}{first}"
    yield from (" " * _INDENT + line for line in more)


def _checks(checks: Iterable[Check], style: Style) -> Iterator[str]:
    for check in checks:
        yield from _folded(f"  {style.tick(check.passed)} ", check.name, style)
        if not check.passed:
            yield from _folded("      ", check.detail, style)


def _folded(head: str, text: str, style: Style) -> Iterator[str]:
    indent = " " * 6
    first, *more = textwrap.wrap(text, style.width - 2 * len(indent)) or [""]
    yield head + first
    yield from (indent + line for line in more)
