"""The account of a call: its head, what was unusual in it, how it ended. Pure: a function of the log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from voxbus.common.events import Stored
from voxbus.devkit.core_calls import Row, row
from voxbus.devkit.demo.story import counted
from voxbus.devkit.why.core_ending import Ending, endings
from voxbus.devkit.why.core_finding import Finding, count
from voxbus.devkit.why.core_line import of_line
from voxbus.devkit.why.core_turns import of_turns


@dataclass(frozen=True)
class Account:
    head: Row
    findings: tuple[Finding, ...]
    endings: tuple[Ending, ...]

    @property
    def unusual(self) -> bool:
        return bool(self.findings) or not all(ending.well for ending in self.endings)


def account(log: Sequence[Stored]) -> Account:
    """``log``: at least one event, as far as the call has come."""
    state, kept = counted(log)
    findings = [*of_line(state, kept), *of_turns(state, kept)]
    return Account(row(log), tuple(sorted(findings, key=lambda f: f.at_s)), tuple(endings(state)))


def lines(told: Account) -> Iterator[str]:
    """For a person to read."""
    head = told.head
    whose = f", agent {head.agent}" if head.agent else ""
    about = f"{head.direction} call{whose}, {head.began}, {head.seconds:.0f} s, {count(head.turns, 'turn')}"
    yield f"{head.call}: {about.strip()}: {head.state.replace('_', ' ')}"
    for finding in told.findings:
        turn = f"turn {finding.turn}" if finding.turn else ""
        minutes, seconds = divmod(max(0.0, finding.at_s - told.head.started_s), 60)
        yield f"{minutes:4.0f}:{seconds:04.1f}  {turn:<8} {finding.text}"
    for ending in told.endings:
        yield f"{ending.text[0].upper()}{ending.text[1:]}."
    if not told.unusual:
        yield "Nothing unusual."
