"""``voxbus demo --campaign``: thirty contacts in four time zones, called until every one of them has a result.

Minutes are seconds here: who is busy is called again after five, and Los Angeles wakes up at the next full minute.
"""

from __future__ import annotations

import asyncio
import csv
import io
import os
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from voxbus.devkit.demo.console import Style
from voxbus.devkit.demo.contacts import LISTED, OPT_OUT, Contact, as_csv, cast, learn_lines, window
from voxbus.devkit.demo.office import NotOrdered
from voxbus.devkit.demo.rig import Rig
from voxbus.devkit.demo.run import FAILED, PASSED, Options, rig
from voxbus.devkit.demo.table import Row, Table

AGENT = "appointment_reminder"
ENVIRONMENT = {
    "QUIET_HOURS": "off",  # it may be night
    "CALLS_PER_SECOND": "2",
    "CALLS_IN_AIR": "8",
    "RING_TIMEOUT_S": "5",
}
_RETRY = {"afterSeconds": 5, "attempts": 2}
_POLL_S = 0.5
_ALL_WITHIN_S = 420.0
_REPORTS_WITHIN_S = 30.0


async def campaign(options: Options) -> int:
    """Returns the exit status, ``PASSED`` only when everything came out as it must. Raises NotOrdered."""
    began_s = time.monotonic()
    style = Style.of(sys.stdout, dict(os.environ))
    contacts = cast(options.seed)
    print(f"{style.paint('voxbus demo --campaign', 'bold')}: {len(contacts)} contacts in four time zones\n")
    rehearsing = asyncio.create_task(asyncio.to_thread(learn_lines))
    async with rig(options, style) as ready:
        await rehearsing
        print(f"  everything runs after {time.monotonic() - began_s:.1f} s\n")
        ready.exchange.telephones = {contact.number: contact.telephone for contact in contacts}
        campaign_id = await _begin(ready, contacts)
        await _watch(ready, campaign_id, contacts)
        calls = await _with_reports(ready.office.http)
        checks = [
            *_outcomes(contacts, await _results(ready.office.http, campaign_id)),
            *_reports(ready, calls),
            *await _opt_outs(ready.office.http, contacts),
        ]
        saved = await _save(ready, campaign_id, options.directory)
    print("")
    for said, passed in checks:
        print(f"  {style.tick(passed)} {said}")
    print(f"\n  {time.monotonic() - began_s:.0f} s in all. The results: {saved}")
    return PASSED if all(passed for _, passed in checks) else FAILED


async def _begin(ready: Rig, contacts: list[Contact]) -> str:
    http = ready.office.http
    listed = [contact.number for contact in contacts if contact.kind is LISTED]
    _ok(await http.post("/v1/do-not-call/import", json=listed))
    hours = window(datetime.now(UTC))
    asked = {
        "name": "demo",
        "agent": AGENT,
        "window": hours,
        "callsPerSecond": 2,
        "retry": {"busy": _RETRY, "no_answer": _RETRY},
    }
    campaign_id: str = _ok(await http.post("/v1/campaigns", json=asked))["id"]
    ready.say(f"  POST /v1/campaigns: window {hours['start']}-{hours['end']} on each callee's own clock")
    upload = _ok(
        await http.post(
            f"/v1/campaigns/{campaign_id}/contacts",
            content=as_csv(contacts),
            headers={"content-type": "text/csv"},
        )
    )
    ready.say(f"  POST .../contacts: {upload['accepted']} accepted")
    for fault in upload["refused"]:
        ready.say(f"    line {fault['line']} refused: {fault['reason']}")
    ready.say("")
    return campaign_id


async def _watch(ready: Rig, campaign_id: str, contacts: list[Contact]) -> None:
    """Shows how it goes, until everybody has a result."""
    http = ready.office.http
    table = Table(contacts, ready.style, live=sys.stdout.isatty())
    deadline = time.monotonic() + _ALL_WITHIN_S
    while True:
        lines = await _results(http, campaign_id)
        calls = {call["to"]: call["state"] for call in reversed(await _calls(http))}
        for line in table.lines({line["to"]: _row(line, calls) for line in lines}):
            ready.say(line)
        if all(line["state"] == "done" for line in lines) or time.monotonic() > deadline:
            return
        await asyncio.sleep(_POLL_S)


def _row(line: dict[str, str], calls: dict[str, str]) -> Row:
    attempts = int(line["attempts"])
    match line["state"]:
        case "calling":
            return Row(calls.get(line["to"], "calling"), attempts + 1)
        case "waiting":
            at = datetime.fromisoformat(line["next_at"]).astimezone()
            return Row("waiting", attempts, note=f"until {at:%H:%M:%S}" if at > datetime.now(UTC) else "")
    return Row("done", attempts, line["result"])


async def _results(http: httpx.AsyncClient, campaign_id: str) -> list[dict[str, str]]:
    answer = await http.get(f"/v1/campaigns/{campaign_id}/results.csv")
    answer.raise_for_status()
    return list(csv.DictReader(io.StringIO(answer.text)))


async def _calls(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = _ok(await http.get("/v1/calls", params={"limit": 200}))["calls"]
    return calls


async def _with_reports(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    """The records of all calls, once each has its report, or when that takes too long."""
    deadline = time.monotonic() + _REPORTS_WITHIN_S
    while True:
        records = [_ok(await http.get(f"/v1/calls/{call['id']}")) for call in await _calls(http)]
        if all(record["report"] for record in records) or time.monotonic() > deadline:
            return records
        await asyncio.sleep(_POLL_S)


def _outcomes(contacts: list[Contact], lines: list[dict[str, str]]) -> list[tuple[str, bool]]:
    came = {line["to"]: (line["result"], int(line["attempts"])) for line in lines}
    wrong = [
        f"{contact.town}, {contact.kind.who}: {came.get(contact.number)}"
        for contact in contacts
        if came.get(contact.number) != (contact.kind.result, contact.kind.calls)
    ]
    counts = ", ".join(f"{n} {result}" for result, n in sorted(Counter(r for r, _ in came.values()).items()))
    return [
        (f"every contact has its result: {counts}", all(line["state"] == "done" for line in lines)),
        (f"each is the one it must be{''.join(f'; {one}' for one in wrong)}", not wrong),
    ]


def _reports(ready: Rig, records: list[dict[str, Any]]) -> list[tuple[str, bool]]:
    rung = set(ready.exchange.calls)
    told = [record["report"]["callSid"] for record in records if record["report"]]
    outcomes = all(record["report"] and record["report"]["outcome"] == record["state"] for record in records)
    return [
        (f"{len(rung)} calls were placed, and each has its report, once", sorted(told) == sorted(rung)),
        ("every report says what the scheduler says", outcomes),
    ]


async def _opt_outs(http: httpx.AsyncClient, contacts: list[Contact]) -> list[tuple[str, bool]]:
    entries = [
        _ok(await http.get(f"/v1/do-not-call/{contact.number}"))
        for contact in contacts
        if contact.kind is OPT_OUT
    ]
    said = {entry["evidence"] for entry in entries}
    listed = all(entry["listed"] and entry["source"] == "call" for entry in entries)
    return [(f"who said so is never called again: {', '.join(map(repr, filter(None, said)))}", listed)]


async def _save(ready: Rig, campaign_id: str, directory: Path) -> Path:
    answer = await ready.office.http.get(f"/v1/campaigns/{campaign_id}/results.csv")
    path = directory / "campaign" / "results.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(answer.content)
    return path


def _ok(answer: httpx.Response) -> Any:
    if not answer.is_success:
        raise NotOrdered(f"the scheduler answers {answer.status_code}: {answer.text}")
    return answer.json()
