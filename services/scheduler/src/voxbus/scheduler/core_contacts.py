"""A list of contacts as it is uploaded: the good rows, and of each bad one its line and why. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from voxbus.common.json_text import loads
from voxbus.scheduler.core_numbers import is_assigned, normalize, zones_of
from voxbus.scheduler.core_orders import Name, Value
from voxbus.scheduler.core_window import zone

#: Columns of a CSV file; every other one is a variable of the agent's texts.
TO, TIMEZONE, SOURCE, AT = "to", "timezone", "consent_source", "consent_at"
#: A clock that is a little ahead is no lie.
_SKEW_S: Final = 300.0


class Consent(BaseModel):
    """That the contact agreed to be called: where that is written down, and since when."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
    at: str = Field(description="ISO 8601 with its offset from UTC.")


class Row(BaseModel):
    """A contact as it is uploaded."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: str = Field(description="The number, with `+` and its country code.")
    timezone: str = Field(default="", description="Of the IANA database; empty = by the number.")
    consent: Consent | None = Field(default=None, description="Without it the contact is refused.")
    variables: Mapping[Name, Value] = Field(default_factory=dict, max_length=100)


@dataclass(frozen=True)
class Contact:
    """One that may be called. ``zones``: all in which the telephone may be."""

    line: int
    to: str
    zones: tuple[str, ...]
    consent_source: str
    consent_at_s: float
    variables: Mapping[str, str]


@dataclass(frozen=True)
class Fault:
    """``line``: of the file, where it is CSV; the how manieth contact it is, where it is JSON."""

    line: int
    reason: str


@dataclass(frozen=True)
class Upload:
    """What came of a list: how many contacts are new, and the lines that were refused."""

    accepted: int
    refused: list[Fault]


class NotAList(Exception):
    """The upload as a whole cannot be read; the words say why, in one line."""


#: Why a contact cannot be in this campaign, for reasons of the campaign; empty = it can.
Objection = Callable[[Contact], str]


def read_json(body: bytes) -> Iterator[tuple[int, Any]]:
    try:
        found = loads(body)
    except ValueError:
        raise NotAList("the body is not JSON") from None
    if isinstance(found, dict):
        found = found.get("contacts")
    if not isinstance(found, list):
        raise NotAList("expected a list of contacts, or an object with the list under `contacts`")
    yield from enumerate(found, 1)


def read_csv(body: bytes) -> Iterator[tuple[int, Any]]:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NotAList("the file is not UTF-8") from None
    # Not by str.splitlines, which breaks lines at a dozen other characters, too.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if TO not in header or len(set(header)) != len(header):
            raise NotAList(f"the first line must name the columns, each once, and `{TO}` among them")
        before = reader.line_num
        for cells in reader:
            line, before = before + 1, reader.line_num
            if any(cell.strip() for cell in cells):
                yield line, _row_of(header, cells)
    except csv.Error as error:
        raise NotAList(f"line {reader.line_num} is not CSV: {error}") from None


def _row_of(header: list[str], cells: list[str]) -> Any:
    if len(cells) != len(header):
        return None
    named = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    row: dict[str, Any] = {TO: named.pop(TO), TIMEZONE: named.pop(TIMEZONE, "")}
    source, at = named.pop(SOURCE, ""), named.pop(AT, "")
    if source or at:
        row["consent"] = {"source": source, "at": at}
    row["variables"] = {name: cell for name, cell in named.items() if cell}
    return row


def check(
    rows: Iterator[tuple[int, Any]], objection: Objection, now_s: float
) -> tuple[list[Contact], list[Fault]]:
    """Raises NotAList."""
    good: list[Contact] = []
    bad: list[Fault] = []
    lines: dict[str, int] = {}
    for line, row in rows:
        try:
            contact = contact_of(line, row, now_s)
            if contact.to in lines:
                raise ValueError(f"to: the number is in line {lines[contact.to]}, too")
            if said := objection(contact):
                raise ValueError(said)
        except ValueError as error:
            bad.append(Fault(line, _reason(error)))
        else:
            lines[contact.to] = line
            good.append(contact)
    return good, bad


def contact_of(line: int, row: Any, now_s: float) -> Contact:
    """Raises ValueError (pydantic's is one), whose words do not repeat what was sent."""
    if row is None:
        raise ValueError("it has not as many columns as the first line")
    read = Row.model_validate(row)
    try:
        to = normalize(read.to)
    except ValueError as error:
        raise ValueError(f"to: {error}") from None
    if not is_assigned(to):
        raise ValueError("to: its country has no such numbers")
    if read.consent is None:
        raise ValueError(f"consent: none is recorded; {SOURCE} and {AT} are needed")
    return Contact(
        line=line,
        to=to,
        zones=_zones(read.timezone, to),
        consent_source=read.consent.source,
        consent_at_s=_moment(read.consent.at, now_s),
        variables=dict(read.variables),
    )


def _zones(own: str, to: str) -> tuple[str, ...]:
    if own:
        try:
            zone(own)
        except ValueError as error:
            raise ValueError(f"timezone: {error}") from None
        return (own,)
    found = zones_of(to)
    if not found:
        raise ValueError("timezone: the number does not tell it, so it must be given")
    return found


def _moment(text: str, now_s: float) -> float:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("consent at: not a time in ISO 8601, such as 2026-03-01T09:30:00Z") from None
    if at.tzinfo is None:
        raise ValueError("consent at: it must say its offset from UTC, such as Z or -05:00")
    if at.timestamp() > now_s + _SKEW_S:
        raise ValueError("consent at: it lies in the future")
    return at.timestamp()


def _reason(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'contact'}: {fault['msg']}" for fault in faults)
