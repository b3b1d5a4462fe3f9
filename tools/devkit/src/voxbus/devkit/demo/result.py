"""What a call of the demo leaves: a summary with its checks, and a folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from voxbus.devkit.demo.checks import reported
from voxbus.devkit.demo.facts import Order
from voxbus.devkit.demo.page import render
from voxbus.devkit.demo.performance import Outcome
from voxbus.devkit.demo.recording import read
from voxbus.devkit.demo.summary import Check, Summary, summarize

RECORDING = "recording.wav"


@dataclass(frozen=True)
class Result:
    """``folder`` holds the recording already. ``report``: as the scheduler stored it, None when it has none."""

    folder: Path
    summary: Summary
    report: bytes | None

    def write(self) -> list[Path]:
        """The files, the one to open first at the head."""
        recording = self.folder / RECORDING
        page = render(self.summary, read(recording), recording.read_bytes())
        texts = {"index.html": page, "summary.json": _json(self.summary.as_json())}
        if self.report is not None:
            texts["report.json"] = _json(json.loads(self.report))
        for name, text in texts.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        first, *others = texts
        return [self.folder / name for name in (first, RECORDING, *others)]


def conclude(
    outcome: Outcome,
    folder: Path,
    report: bytes | None,
    checks: Callable[[Summary], Sequence[Check]],
    order: Order | None = None,
) -> Result:
    """``checks`` are this call's own, beside those of every call."""
    stored = json.loads(report)["outcome"] if report is not None else ""
    summary = summarize(outcome.log, outcome.facts, read(folder / RECORDING), outcome.kills)
    summary = replace(summary, outcome=stored, order=order)
    whole = Check("the call goes as scripted", not outcome.problem, outcome.problem or "to its end")
    return Result(folder, summary.with_checks([whole, *checks(summary), reported(summary)]), report)


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
