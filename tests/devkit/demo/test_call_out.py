"""What the demo says of a call out: its checks, its transcript, its page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from voxbus.common.events import Ended, ReportDelivered, ReportLost
from voxbus.devkit.demo.checks import check_out, reported
from voxbus.devkit.demo.console import LiveTranscript, Style, report
from voxbus.devkit.demo.facts import Order
from voxbus.devkit.demo.page import render
from voxbus.devkit.demo.summary import Summary

from .browser import CHROMIUM, open_page
from .sample_call import SampleCall
from .sample_call_out import ORDER, sample_call_out
from .test_page import wav_of


@pytest.fixture(scope="module")
def call_out() -> SampleCall:
    return sample_call_out()


def summary_of(call: SampleCall, order: Order | None = ORDER, outcome: str = "completed") -> Summary:
    summary = replace(call.summary(), order=order, outcome=outcome)
    return summary.with_checks([*check_out(summary, call.facts), reported(summary)])


def failed(summary: Summary) -> set[str]:
    return {check.name for check in summary.checks if not check.passed}


def test_the_good_call_passes_all(call_out: SampleCall) -> None:
    assert failed(summary_of(call_out)) == set()


def dialled_twice(order: Order) -> Order:
    return replace(order, steps=(*order.steps[:3], order.steps[2], *order.steps[3:]))


BAD: dict[str, Callable[[SampleCall], Summary]] = {
    "the callee speaks first": lambda c: summary_of(c.but(said=c.facts.said[1:])),
    "every word understood": lambda c: summary_of(
        c.but(said=tuple(replace(s, text="no") if "yes" in s.text else s for s in c.facts.said))
    ),
    "hung up through /twilio/next": lambda c: summary_of(c.but(without=Ended)),
    "dialled once, and followed to its end": lambda c: summary_of(c, dialled_twice(ORDER)),
    "the signed report is stored at the scheduler": lambda c: summary_of(c.but(without=ReportDelivered)),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_call_fails_its_own_check(call_out: SampleCall, name: str) -> None:
    assert name in failed(BAD[name](call_out))


def test_an_order_that_is_not_followed_to_the_end(call_out: SampleCall) -> None:
    short = replace(ORDER, state="in_progress", steps=ORDER.steps[:-1])
    for order in (short, None):
        assert failed(summary_of(call_out, order)) == {"dialled once, and followed to its end"}


def test_a_report_that_was_delivered_to_somebody_else(call_out: SampleCall) -> None:
    assert failed(summary_of(call_out, outcome="")) == {"the signed report is stored at the scheduler"}


def transcript(call: SampleCall) -> list[str]:
    live = LiveTranscript(Style())
    return [line[10:] for stored in call.log for line in live.lines(stored)]


def test_the_transcript_speaks_of_a_callee(call_out: SampleCall) -> None:
    assert transcript(call_out) == [
        "callee  [speaks first]",
        "agent   You have an appointment on Tuesday at ten.",
        "callee  yes that works",
        "agent   Thank you. You are confirmed.",
        "callee  goodbye",
        "agent   Thank you for your time. Goodbye.",
        "        [call ended: agent hung up]",
        "        [signed report delivered]",
    ]


def test_a_lost_report_is_told_with_its_cause(call_out: SampleCall) -> None:
    lost = ReportLost(call=call_out.facts.call, attempts=4, error="HTTP 503")
    log = [replace(s, event=lost) if isinstance(s.event, ReportDelivered) else s for s in call_out.log]
    assert transcript(replace(call_out, log=log))[-1] == "        [report lost: HTTP 503]"


def test_the_terminal_tells_how_the_order_went(call_out: SampleCall) -> None:
    text = " ".join("\n".join(report(summary_of(call_out), Style())).split())
    assert "order queued 0.0 s, claimed 0.1 s, dialling 0.2 s" in text
    assert "1 greeting" in text


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
async def test_the_page_speaks_of_a_callee(call_out: SampleCall, tmp_path: Path) -> None:
    path = tmp_path / "index.html"
    path.write_text(render(summary_of(call_out), call_out.recording, wav_of(call_out)), encoding="utf-8")
    async with open_page(path) as tab:
        said = await tab.eval("[...document.querySelectorAll('#script .words')].map(e => e.textContent)")
        assert said[:3] == [
            "Rung up. The scheduler took the order and dialled after 0.2 s; the telephone was lifted after 0.5 s.",
            "calleespeaks first",
            "agent · turn 1You have an appointment on Tuesday at ten. ",
        ]
        assert said[-1].startswith("Reported. The signed report")
        assert "caller" not in await tab.eval("document.body.innerText")
        assert tab.complaints == []
