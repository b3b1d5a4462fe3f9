"""What the services tell their operators about a call: numbers and log lines, and nothing of what was said."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from voxbus.devkit.caller import Caller
from voxbus.devkit.cli import main
from voxbus.devkit.docs.metrics import by_part
from voxbus.devkit.speech import speak

from .conftest import PAUSE_MS

if TYPE_CHECKING:
    from tests.e2e.conftest import Phone

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

#: Identifiers of ours, and the carrier's error codes. No sentence, no telephone number, no CallSid looks like that.
LABEL = re.compile(r"[A-Za-z]+(_[A-Za-z]+)*|\d{1,5}")

#: What a call that goes well moves, by stage.
MOVED = (
    "voxbus_gateway_streams_total",
    "voxbus_gateway_frames_in_total",
    "voxbus_gateway_response_ms_count",
    "voxbus_gateway_interruptions_total",
    "voxbus_gateway_barge_in_reaction_ms_count",
    "voxbus_stt_turns_total",
    "voxbus_stt_endpointing_ms_count",
    "voxbus_stt_recognition_ms_count",
    "voxbus_llm_replies_total",
    "voxbus_llm_first_token_ms_count",
    "voxbus_llm_sentence_ready_ms_count",
    "voxbus_tts_sentences_total",
    "voxbus_tts_first_audio_ms_count",
    "voxbus_reporter_calls_total",
    "voxbus_reporter_reports_total",
    "voxbus_job_wait_ms_count",
    "voxbus_jobs_delivered_total",
)


async def samples(phone: Phone) -> list[Sample]:
    """Of all processes that run."""
    found: list[Sample] = []
    async with httpx.AsyncClient(timeout=30) as http:
        for child in phone.stack.children.values():
            answer = await http.get(f"http://127.0.0.1:{child.port('metrics_port')}/metrics")
            for family in text_string_to_metric_families(answer.text):
                found += [sample for sample in family.samples if sample.name.startswith("voxbus_")]
    return found


def total(found: list[Sample], name: str) -> float:
    return sum(sample.value for sample in found if sample.name == name)


async def voxbus(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the command prints, which runs in a thread because it has a loop of its own."""
    capsys.readouterr()
    assert await asyncio.to_thread(main, arguments) == 0
    return capsys.readouterr().out


async def test_a_call_is_seen_in_numbers_and_lines_and_not_overheard(
    phone: Phone, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interrupts(caller: Caller) -> None:
        await caller.listen(quiet_ms=PAUSE_MS)
        await caller.say(speak("tell me a story"))
        await caller.interrupt(speak("please stop that"), after_ms=1500)
        await caller.listen(quiet_ms=PAUSE_MS)
        await caller.press("1#")
        await caller.listen(quiet_ms=PAUSE_MS)

    before = await samples(phone)
    held = await phone.call(interrupts)
    after, still = before, list(MOVED)
    for _ in range(300):  # the report is delivered after the call
        after = await samples(phone)
        if not (still := [name for name in MOVED if total(after, name) <= total(before, name)]):
            break
        await asyncio.sleep(0.1)
    assert still == []

    documented = {metric.name for part in by_part().values() for metric in part}
    shown = {re.sub(r"_(bucket|sum|count|created)$", "", sample.name) for sample in after}
    assert {name for name in shown if not {name, f"{name}_total"} & documented} == set()
    values = {value for sample in after for name, value in sample.labels.items() if name != "le"}
    assert sorted(value for value in values if LABEL.fullmatch(value) is None) == []

    plan, sid = phone.plan(), held.result.call_sid
    said = [plan.from_number, plan.to_number, *(utterance.text for utterance in held.state.utterances())]
    said += [s.event.text for turn in held.state.turns.values() for s in turn.sentences.values()]
    lines = [
        line
        for name in phone.stack.children
        for line in (phone.stack.directory / f"{name}.log").read_text().splitlines()
    ]
    monkeypatch.setenv("NATS_URL", phone.stack.nats_url)
    monkeypatch.setenv("NATS_NKEY_FILE", str(phone.stack.bus_config("").nkey_file))
    why, calls = await voxbus(capsys, "why", sid), await voxbus(capsys, "calls")
    assert re.search(r"turn 2 +the caller interrupted sentence \d, \d\.\d s into it", why), why
    assert f"{sid}  completed (caller_hung_up)" in calls
    lines += [why, calls]

    assert [line for line in lines if any(words in line for words in said if len(words) > 4)] == []
    of_call = [json.loads(line) for line in lines[:-2] if sid in line]
    assert of_call
    assert [line for line in of_call if line.get("call_sid") != sid] == []
