"""A call out: the scheduler is asked to ring somebody, and a person lifts the telephone."""

from __future__ import annotations

import asyncio
import json
import textwrap
from collections.abc import Callable

from voxbus.devkit.carrier import Telephone
from voxbus.devkit.demo.callee import AGENT, GREETING, NUMBER, callee, rehearse
from voxbus.devkit.demo.checks import check_out, says
from voxbus.devkit.demo.result import RECORDING, Result, conclude
from voxbus.devkit.demo.rig import Rig
from voxbus.devkit.demo.summary import Check, Summary

_RING_S = 1.5
_PLACED_WITHIN_S = 10.0
_SETTLED_WITHIN_S = 5.0


async def call_out(rig: Rig, _next_call: Callable[[], None]) -> Result:
    """Raises NotOrdered when no telephone rings."""
    lines = await asyncio.to_thread(rehearse, rig.seed)
    person = callee(lines)
    rig.exchange.telephones = {NUMBER: Telephone(ring_s=_RING_S, party=lambda: person)}
    order = json.dumps({"to": NUMBER, "agent": AGENT, "variables": lines.variables})
    rig.say(f"  POST {rig.stack.scheduler_url}/trigger-outbound")
    for line in textwrap.wrap(order, rig.style.width - 4):
        rig.say(f"    {line}")
    call_id = await rig.office.order(NUMBER, AGENT, lines.variables)
    sid = await rig.office.placed(call_id, _PLACED_WITHIN_S)
    rig.say(f"  202, and {NUMBER} rings\n")
    outgoing = rig.exchange.calls[sid]
    assert outgoing.task is not None
    folder = rig.folder(sid)
    outcome = await rig.performance("out").hold(outgoing.call, outgoing.task, person, folder / RECORDING)
    came_out = await rig.office.came_out(call_id, _SETTLED_WITHIN_S)

    def checks(summary: Summary) -> list[Check]:
        about = says(summary, GREETING, lines.appointment, "the call is about what was ordered")
        return [*check_out(summary, outcome.facts), about]

    return conclude(outcome, folder, await rig.office.report(sid), checks, came_out)
