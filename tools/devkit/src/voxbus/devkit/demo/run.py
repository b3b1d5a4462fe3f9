"""The demo, from nothing to the page: starts everything, places one call, kills workers in it, measures, reports."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from voxbus.common.bus import Bus, BusConfig
from voxbus.devkit.carrier import CallPlan, LineQuality, Route
from voxbus.devkit.demo.checks import check, says
from voxbus.devkit.demo.console import LiveTranscript, Style, report
from voxbus.devkit.demo.facts import Moment
from voxbus.devkit.demo.listen import Speakers
from voxbus.devkit.demo.page import render
from voxbus.devkit.demo.performance import Outcome, Performance
from voxbus.devkit.demo.recording import read
from voxbus.devkit.demo.script import BOOKED, OFFER, rehearse
from voxbus.devkit.demo.summary import Check, Summary, summarize
from voxbus.devkit.stack import Stack

#: What the carrier calls. Its route leads to the gateway's own port, as a tunnel or a load balancer would.
PUBLIC_URL = "https://demo.voxbus.test"

#: Whatever the environment says: the script is one for this agent, and needs no keys. The model makes 50 tokens a
#: second, so that there is a middle of a reply to be killed in.
EMBEDDED = {
    "PERSONA": "appointment_reminder",
    "STT_PROVIDER": "pocketsphinx",
    "LLM_PROVIDER": "scripted",
    "LLM_FALLBACK": "",
    "TTS_PROVIDER": "espeak",
    "SCRIPTED_TOKEN_DELAY_MS": "20",
}

KILLS: dict[int, Moment] = {OFFER: "first_word", BOOKED: "mid_reply"}

#: Every turn has a worker left, even where a killed one's successor takes its time to start.
LLM_WORKERS = len(KILLS) + 1
#: A quiet room. No telephone is silent to the last bit, and a detector of speech that never hears a room is slower.
NOISE_DBFS = -60.0
_CALL_LIMIT_S = 80.0

PASSED, FAILED = 0, 1


@dataclass(frozen=True)
class Options:
    """``seed``: the caller's voice, and the day and hour it asks for. ``keep``: the services' logs and the store of
    NATS stay beside the recording. ``listen``: plays the call while it lasts."""

    seed: int = 1
    keep: bool = False
    listen: bool = False
    directory: Path = Path("var/demo")


async def demo(options: Options) -> int:
    """Returns the exit status, ``PASSED`` only when everything happened that has to happen."""
    began_s = time.monotonic()
    style = Style.of(sys.stdout, dict(os.environ))
    token, sid = secrets.token_hex(16), "CA" + secrets.token_hex(16)
    directory = options.directory / sid
    with contextlib.ExitStack() as open_things:
        # First, so that what is missing for it shows before anything is started.
        speakers = open_things.enter_context(Speakers()) if options.listen else None
        directory.mkdir(parents=True)
        print(f"{style.paint('voxbus demo', 'bold')}: a whole call on this machine, no keys, no network\n")
        print(f"  starting nats, gateway, stt, {LLM_WORKERS} llm, tts ...", end="", flush=True)
        environment = {
            "TWILIO_AUTH_TOKEN": token,
            "PUBLIC_URL": PUBLIC_URL,
            "TWILIO_VALIDATE": "on",
            **EMBEDDED,
        }
        stack = Stack(
            counts={"llm": LLM_WORKERS},
            env=environment,
            directory=directory / "services" if options.keep else None,
        )
        lines = asyncio.create_task(asyncio.to_thread(rehearse, options.seed))
        async with stack:
            bus = await Bus.connect(BusConfig(url=stack.nats_url, name="demo"))
            print(f" ready in {time.monotonic() - began_s:.1f} s\n")
            plan = CallPlan(
                voice_url=f"{PUBLIC_URL}/twilio/voice",
                status_url=f"{PUBLIC_URL}/twilio/status",
                auth_token=token,
                call_sid=sid,
                line=LineQuality(noise_dbfs=NOISE_DBFS, seed=options.seed),
                time_limit_s=_CALL_LIMIT_S,
                route=Route(PUBLIC_URL, stack.gateway_urls),
            )
            performance = Performance(stack, bus, LiveTranscript(style), _say, speakers)
            try:
                outcome = await performance.run(plan, await lines, KILLS, directory / "recording.wav")
            finally:
                await bus.close()
    summary = _summary(outcome, directory, (await lines).booked)
    _write(summary, directory)
    _say("")
    for line in report(summary, style):
        _say(line)
    _say(f"\n  {time.monotonic() - began_s:.0f} s in all. Open the first of these:\n")
    for name in ("index.html", "recording.wav", "summary.json"):
        _say(f"  {directory / name}")
    return PASSED if summary.passed else FAILED


def _summary(outcome: Outcome, directory: Path, booked: str) -> Summary:
    summary = summarize(outcome.log, outcome.facts, read(directory / "recording.wav"), outcome.kills)
    whole = Check("the call goes as scripted", not outcome.problem, outcome.problem or "to its end")
    return summary.with_checks(
        [whole, *check(summary, outcome.facts, list(KILLS.values())), says(summary, BOOKED, booked)]
    )


def _write(summary: Summary, directory: Path) -> None:
    path = directory / "recording.wav"
    page = render(summary, read(path), path.read_bytes())
    (directory / "index.html").write_text(page, encoding="utf-8")
    text = json.dumps(summary.as_json(), indent=2, ensure_ascii=False)
    (directory / "summary.json").write_text(text + "\n", encoding="utf-8")


def _say(line: str) -> None:
    print(line, flush=True)
