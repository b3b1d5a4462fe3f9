"""A call out that never was.

0        1         2         3         4         5         6   s
callee   hello?                   yes that works     goodbye
agent             greeting                   booked          goodbye
"""

from __future__ import annotations

from dataclasses import replace

from voxbus.common.events import Attached, Ended, HangupRequested, ReportDelivered, Started
from voxbus.devkit.demo.facts import CarrierFacts, Order, Step

from .call_maker import AGENT, SID, STREAM, ZERO_S, CallMaker
from .sample_call import SampleCall

STATES = ("queued", "claimed", "dialling", "placed", "ringing", "in_progress", "completed")
ORDER = Order("+15550100142", "completed", tuple(Step(state, 100.0 * n) for n, state in enumerate(STATES)))


def sample_call_out() -> SampleCall:
    call = CallMaker()
    call.event(0, Started(call=SID, stream_sid=STREAM, session="s", direction="outbound", agent=AGENT))
    call.holder = call.event(4, Attached(call=SID, worker="stt-1", nonce="n"))
    call.caller(400, 900, "Hello?")
    call.utterance(1, 400, 900, "")
    call.reply(1, 1500, [("You have an appointment on Tuesday at ten.", 1700)])
    call.caller(4000, 4800, "yes that works")
    call.utterance(2, 4000, 4800, "yes that works")
    call.reply(2, 5400, [("Thank you. You are confirmed.", 1500)])
    call.caller(7700, 8500, "goodbye")
    call.utterance(3, 7700, 8500, "goodbye")
    call.event(9060, HangupRequested(call=SID, turn=3, reason="said goodbye"))
    end = call.reply(3, 9100, [("Thank you for your time. Goodbye.", 1400)])
    call.event(end + 60, Ended(call=SID, reason="agent_hung_up"))
    call.event(end + 160, ReportDelivered(call=SID, attempts=1))
    in_time = sorted(call.log, key=lambda stored: stored.time_s)
    log = [replace(stored, sequence=n) for n, stored in enumerate(in_time, 1)]
    facts = CarrierFacts(
        call=SID, zero_s=ZERO_S, said=tuple(call.said), last_verb="Hangup", last_verb_from="/twilio/next"
    )
    return SampleCall(log, facts, call.recording(11_000), ())
