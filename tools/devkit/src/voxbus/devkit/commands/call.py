"""``voxbus call``: one call through the simulated carrier, with a script from the command line."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from voxbus.common import settings
from voxbus.common.errors import SettingsError
from voxbus.devkit.caller import Caller, ScriptFailed
from voxbus.devkit.carrier import Call, CallPlan, Carrier, LineQuality, Route
from voxbus.devkit.commands.up import gateway_port
from voxbus.devkit.environment import CarrierSettings
from voxbus.devkit.speech import Speech, hum, load, speak

Step = tuple[str, str]

#: Spoken one after the other by a caller who was given nothing to say.
DEFAULT_STEPS: tuple[Step, ...] = (("say", "yes"), ("say", "goodbye"), ("until_hangup", "20"))


class _AddStep(argparse.Action):
    """Keeps the order in which different options were given."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[object] | None,
        option_string: str | None = None,
    ) -> None:
        steps: list[Step] = getattr(namespace, "steps", None) or []
        namespace.steps = [*steps, (self.dest, values if isinstance(values, str) else "")]


DESCRIPTION = (
    "Rings the voice URL as the carrier would, listens to the greeting, and then takes the steps in the order given; "
    "after each thing said or pressed it listens to the answer. Signs with TWILIO_AUTH_TOKEN, when that is set."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "url",
        nargs="?",
        default=f"http://127.0.0.1:{gateway_port()}",
        help="where the gateway listens (default: %(default)s)",
    )
    parser.add_argument(
        "--say", action=_AddStep, metavar="TEXT", help="say this (or the WAV file of that name)"
    )
    parser.add_argument(
        "--interrupt", action=_AddStep, metavar="TEXT", help="the same, while the agent speaks"
    )
    parser.add_argument("--mm-hm", action=_AddStep, nargs=0, help="hum while the agent speaks")
    parser.add_argument("--press", action=_AddStep, metavar="DIGITS", help="press keys")
    parser.add_argument("--wait", action=_AddStep, metavar="MS", help="say nothing")
    parser.add_argument(
        "--until-hangup", action=_AddStep, metavar="S", help="wait to be hung up on, so long at most"
    )
    parser.add_argument(
        "--echo-db", type=float, help="the agent comes back to itself at this level (-30 to -15)"
    )
    parser.add_argument("--noise-dbfs", type=float, help="noise on the line at this level (-60 to -40)")
    parser.add_argument("--record", type=Path, metavar="FILE", help="write both sides to this WAV file")
    parser.set_defaults(steps=None)


def main(arguments: argparse.Namespace) -> int:
    try:
        carrier = settings.load(CarrierSettings)
    except SettingsError as error:
        print(f"voxbus call: {error}", file=sys.stderr)
        return 1
    public = carrier.public
    plan = CallPlan(
        voice_url=f"{public or arguments.url}/twilio/voice",
        status_url=f"{public or arguments.url}/twilio/status",
        auth_token=carrier.token,
        line=LineQuality(echo_db=arguments.echo_db, noise_dbfs=arguments.noise_dbfs),
        route=Route(public, (arguments.url,)) if public else Route(),
    )
    return asyncio.run(_call(plan, arguments.steps or list(DEFAULT_STEPS), arguments.record))


async def _call(plan: CallPlan, steps: Sequence[Step], record: Path | None) -> int:
    spoken = {text: _speech(text) for what, text in steps if what in ("say", "interrupt")}
    caller = Caller(lambda caller: _take(caller, steps, spoken))
    failed = ""
    async with Carrier() as carrier:
        call = carrier.prepare(plan)
        try:
            await call.run(caller)
        except ScriptFailed as error:
            failed = str(error)
    _tell(call, caller)
    if record is not None:
        call.result.recording.write(record)
        print(f"recording: {record}")
    if failed:
        print(f"FAILED: {failed}")
    problems = [entry for entry in call.result.debugger.entries if entry.code != CLOSED_BY_US]
    return 1 if failed or problems else 0


async def _take(caller: Caller, steps: Sequence[Step], spoken: dict[str, Speech]) -> None:
    await caller.listen()
    for (what, value), (then, _) in pairwise([*steps, ("", "")]):
        match what:
            case "wait":
                await caller.wait(int(value))
                continue
            case "until_hangup":
                await caller.expect_hangup(timeout_s=float(value))
                continue
            case "say":
                await caller.say(spoken[value])
            case "interrupt":
                await caller.interrupt(spoken[value])
            case "mm_hm":
                await caller.mm_hm(hum())
            case _:
                await caller.press(value)
        await caller.listen(may_hang_up=then == "until_hangup")


CLOSED_BY_US = 31921


def _tell(call: Call, caller: Caller) -> None:
    result = call.result
    print(f"{result.call_sid}: {result.recording.frames * 0.02:.1f} s, ended by the {result.ended_by}")
    for response in caller.responses:
        print(f"  “{response.said.text}”: answered after {response.response_ms:.0f} ms")
    for reaction in caller.reactions:
        clear = "no clear" if reaction.clear_ms is None else f"clear after {reaction.clear_ms:.0f} ms"
        print(f"  “{reaction.said.text}” over the agent: {clear}")
    for entry in result.debugger.entries:
        if entry.code != CLOSED_BY_US:
            print(f"  carrier: {entry.text} ({entry.code}) at {entry.at_ms / 1000:.1f} s")


def _speech(text: str) -> Speech:
    path = Path(text)
    return load(path) if path.suffix == ".wav" and path.exists() else speak(text)
