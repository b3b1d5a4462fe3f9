"""The table of a campaign: drawn again in place where somebody watches, line by line where nobody does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from voxbus.devkit.demo.console import Style
from voxbus.devkit.demo.contacts import Contact

_COLOURS = {
    "completed": "good", "voicemail": "good", "busy": "bad", "no_answer": "bad", "failed": "bad", "unknown": "bad",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """``state``: what is going on just now, in the scheduler's words. ``result``: empty until it is final."""

    state: str
    calls: int
    result: str = ""
    note: str = ""


class Table:
    """``lines`` gives what is to be printed for what has changed."""

    def __init__(self, contacts: Iterable[Contact], style: Style, *, live: bool) -> None:
        self._contacts = tuple(contacts)
        self._style = style
        self._live = live
        self._shown: dict[str, Row] = {}
        self._drawn = False

    def lines(self, rows: Mapping[str, Row]) -> list[str]:
        before = {contact.number: self._line(contact) for contact in self._contacts}
        new = {contact.number for contact in self._contacts} & rows.keys() - self._shown.keys()
        self._shown |= rows
        changed = [
            contact
            for contact in self._contacts
            if contact.number in new or self._line(contact) != before[contact.number]
        ]
        if not changed:
            return []
        if not self._live:
            return [self._line(contact) for contact in changed]
        up = f"\x1b[{len(self._contacts) + 2}A\x1b[J" if self._drawn else ""
        self._drawn = True
        return [f"{up}{self._head()}", *map(self._line, self._contacts), self._sum()]

    def _head(self) -> str:
        return self._style.paint(
            f"  {'number':<14}{'town':<13}{'who is there':<17}{'calls':>5}  state", "bold"
        )

    def _line(self, contact: Contact) -> str:
        row = self._shown.get(contact.number, Row("", 0))
        said = row.result or row.state
        painted = self._style.paint(said, _COLOURS[said]) if said in _COLOURS else said
        note = f"  {row.note}" if row.note and not row.result else ""
        return (
            f"  {contact.number:<14}{contact.town:<13}{contact.kind.who:<17}{row.calls:>5}  {painted}{note}"
        )

    def _sum(self) -> str:
        done = sum(bool(row.result) for row in self._shown.values())
        return f"  {done} of {len(self._contacts)} have their result"
