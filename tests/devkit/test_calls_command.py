"""``voxbus calls`` and ``voxbus why`` as they are typed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from voxbus.common import events as ev
from voxbus.common.bus import Bus
from voxbus.devkit import call_logs
from voxbus.devkit.cli import main

if TYPE_CHECKING:
    from tests.conftest import Script


@pytest.fixture(autouse=True)
def server(nats_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_URL", nats_url)


async def voxbus(*arguments: str) -> int:
    # In a thread: the command has a loop of its own.
    return await asyncio.to_thread(main, arguments)


async def publish(bus: Bus, script: Script) -> str:
    for stored in script.log:
        await bus.append(stored.event)
    return script.sid


@pytest.fixture
async def three(bus: Bus, new_script: Callable[[], Script]) -> list[str]:
    """One that is archived and purged, one that is over, one that is live; in this order they began."""
    old = await publish(
        bus, new_script().start().says(2, "hello").answers(2, "Sorry.", fallback="timeout").ends()
    )
    events = await bus.read_log(old)
    await bus.archive(old, events)
    await bus.purge_log(old, through=events[-1].sequence)
    over = await publish(bus, new_script().start("outbound").ends("agent_hung_up"))
    live = await publish(bus, new_script().start())
    return [old, over, live]


async def test_calls_are_listed_the_newest_first(
    three: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert await voxbus("calls") == 0
    heading, *lines = capsys.readouterr().out.splitlines()
    assert "turns, interruptions, fallbacks, recorded" in heading
    assert [line.split()[2] for line in lines] == three[::-1]
    live, over, old = (line.split(maxsplit=3)[3].split() for line in lines)
    assert live == ["live", "inbound", "test_agent", "0", "0", "0", "0", "-"]
    assert over == ["completed", "(agent_hung_up)", "outbound", "test_agent", "0", "0", "0", "0", "-"]
    assert old == ["completed", "(caller_hung_up)", "inbound", "test_agent", "0", "1", "0", "1", "-"]


async def test_numbers_are_shown_to_who_asks_for_them(
    three: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert await voxbus("calls", "--json") == 0
    shown = capsys.readouterr().out
    assert "+1555" not in shown
    assert [one["call"] for one in json.loads(shown)] == three[::-1]
    assert await voxbus("calls", "--json", "--show-numbers", "--live") == 0
    (live,) = json.loads(capsys.readouterr().out)
    assert (live["call"], live["from_number"]) == (three[2], "+15550100001")
    assert await voxbus("calls", "--last", "1", "--show-numbers") == 0
    assert capsys.readouterr().out.endswith("+15550100001 -> +15550100002\n")


async def test_a_live_call_is_shown_however_many_are_newer(
    bus: Bus, new_script: Callable[[], Script], capsys: pytest.CaptureFixture[str]
) -> None:
    live = await publish(bus, new_script().start())
    for _ in range(21):
        await publish(bus, new_script().start().ends())
    assert await voxbus("calls", "--live") == 0
    _, *lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in lines] == [live]


async def test_more_calls_than_fit_into_one_answer(
    bus: Bus, new_script: Callable[[], Script], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_logs, "_BATCH", 3)
    sids = [await publish(bus, new_script().start().ends()) for _ in range(12)]
    for sid in sids[:8]:
        events = await bus.read_log(sid)
        await bus.archive(sid, events)
        await bus.purge_log(sid, through=events[-1].sequence)
    assert await call_logs.newest(bus, 100) == sids[::-1]
    assert await call_logs.newest(bus, 7) == sids[:4:-1]


async def test_no_calls(capsys: pytest.CaptureFixture[str]) -> None:
    assert await voxbus("calls") == 0
    assert await voxbus("calls", "--json") == 0
    assert capsys.readouterr().out == "no calls\n[]\n"


async def test_what_went_wrong_in_a_call_is_told_from_wherever_its_log_is(
    three: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert await voxbus("why", three[0]) == 0
    told = capsys.readouterr().out
    assert "turn 2   no model answered (timeout), the fallback line was said\n" in told
    assert "The caller hung up" in told
    assert await voxbus("why", three[2]) == 0
    assert capsys.readouterr().out.endswith(": live\nThe call is not over.\nNothing unusual.\n")


async def test_what_comes_after_the_purge_is_told_with_what_was_archived(
    bus: Bus, three: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    await bus.append(ev.ReportDelivered(call=three[0], attempts=1))
    assert await voxbus("why", three[0]) == 0
    told = capsys.readouterr().out
    assert "no model answered" in told
    assert "The report was delivered at attempt 1." in told


async def test_a_call_of_which_nothing_is_left(sid: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert await voxbus("why", sid) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("voxbus why: nothing is kept of that call.")
    assert f"/v1/reports/{sid}" in line


async def test_what_is_no_call_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    assert await voxbus("why", "CA.*") == 1
    monkeypatch.setenv("NATS_URL", f"nats://127.0.0.1:{unused_tcp_port}")
    assert await voxbus("why", "CA" + "0" * 32) == 1
    assert await voxbus("calls") == 1
    bad, away, away_too = capsys.readouterr().err.splitlines()
    assert "not a CallSid" in bad
    assert "no NATS server answers" in away
    assert "no NATS server answers" in away_too
    with pytest.raises(SystemExit) as ended:
        main(["calls", "--last", "many"])
    assert ended.value.code == 2
    assert "a number of calls, 1 to 10000" in capsys.readouterr().err
