"""A call that never was: its log, its recording and what the carrier saw, all made from one time line.

0        5         10        15        20        25        30   s
agent    greeting  | turn 2  | turn 3 (cut) | turn 4  .gap. | turn 6: goodbye
caller        hello     mm-hm      wait           1 #       bye
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from voxbus.common.events import (
    Attached,
    BargeIn,
    Continued,
    Dtmf,
    Ended,
    Event,
    HangupRequested,
    Heard,
    Interrupted,
    SpeechStarted,
    Started,
    Stored,
)
from voxbus.devkit.demo.facts import CarrierFacts, Kill, Pressed
from voxbus.devkit.demo.recording import Recording
from voxbus.devkit.demo.summary import Summary, summarize

from .call_maker import AGENT, SID, STREAM, ZERO_S, CallMaker, backchannel, paused


@dataclass(frozen=True)
class SampleCall:
    log: list[Stored]
    facts: CarrierFacts
    recording: Recording
    kills: tuple[Kill, ...]

    def but(self, *, without: type[Event] | None = None, **facts: Any) -> SampleCall:
        """The same call with one kind of event missing, or with other facts."""
        log = [s for s in self.log if without is None or not isinstance(s.event, without)]
        return replace(self, log=log, facts=replace(self.facts, **facts))

    def summary(self) -> Summary:
        return summarize(self.log, self.facts, self.recording, self.kills)


def sample_call() -> SampleCall:
    call = CallMaker()
    call.event(0, Started(call=SID, stream_sid=STREAM, session="s", direction="inbound", agent=AGENT))
    call.holder = call.event(4, Attached(call=SID, worker="stt-1", nonce="n"))

    call.reply(
        1, 280, [("Hello, this is the clinic.", 1500), ("You have an appointment on Tuesday at ten.", 2300)]
    )

    call.caller(5000, 6400, "can you repeat that")
    call.utterance(2, 5000, 6400, "can you repeat that", guessed=True)
    call.sentence(
        2, 0, "Of course. You have an appointment on Tuesday the fourth at ten in the morning.", 7000
    )
    call.sounds += [("agent", 7040, 9100), ("agent", 10_060, 11_900)]
    call.caller(8980, 9420, "mm-hm", "backchannel")
    call.event(9100, SpeechStarted(call=SID, holder=call.holder, media_ms=9090, over_agent=True))
    call.event(9101, paused(2, 0, 2050, 9100))
    call.event(9990, backchannel(call.holder, 2, 8980, 9420))
    call.event(10_061, Continued(call=SID, stream_sid=STREAM, turn=2, sentence=0, media_ms=9100))
    text = "Of course. You have an appointment on Tuesday the fourth at ten in the morning."
    call.event(
        11_900,
        Heard(
            call=SID,
            stream_sid=STREAM,
            turn=2,
            sentence=0,
            complete=True,
            played_ms=3900,
            text=text,
            known_by="mark",
            synthesis_ms=41.0,
            response_ms=631.0,
        ),
    )
    call.reply(2, 12_080, [])

    call.caller(12_900, 14_500, "i would like to reschedule")
    call.utterance(3, 12_900, 14_500, "i would like to reschedule")
    call.sentence(
        3, 0, "I can offer Wednesday at nine, Thursday at two, or Friday at half past four.", 15_100
    )
    call.sentence(3, 1, "Which of these would you like?", 15_140)
    call.sounds.append(("agent", 15_140, 17_015))
    call.caller(16_900, 18_600, "thursday at two", "interruption")
    call.event(17_010, SpeechStarted(call=SID, holder=call.holder, media_ms=17_000, over_agent=True))
    call.event(17_012, paused(3, 0, 1875, 17_012))
    call.event(17_640, BargeIn(call=SID, holder=call.holder, media_ms=17_640, by="duration"))
    call.heard(3, 0, "I can offer Wednesday at nine,", 15_765, 17_640, 15_140, whole=False)
    call.event(
        17_642,
        Interrupted(
            call=SID,
            stream_sid=STREAM,
            turn=3,
            sentence=0,
            played_ms=1875,
            text="I can offer Wednesday at nine,",
            response_ms=640.0,
        ),
    )
    call.utterance(4, 16_900, 18_600, "thursday at two")
    call.reply(
        4,
        19_230,
        [
            ("Thursday at two, then.", 1400),
            ("I have moved your appointment.", 1700),
            ("Press one if that is right.", 1600),
        ],
        gap_ms=180,
    )

    call.event(25_600, Dtmf(call=SID, stream_sid=STREAM, sequence=1280, digit="1", media_ms=25_600))
    call.event(26_000, Dtmf(call=SID, stream_sid=STREAM, sequence=1300, digit="#", media_ms=26_000))
    call.utterance(5, 25_600, 26_000, "1", ended_by="dtmf")
    call.sentence(5, 0, "Thank you.", 26_150)
    call.sounds += [("agent", 26_220, 27_000), ("agent", 28_180, 29_900)]
    call.heard(5, 0, "Thank you.", 26_220, 27_000, 26_220)
    call.sentence(5, 1, "You are booked for Thursday at two.", 28_100)
    call.heard(5, 1, "You are booked for Thursday at two.", 28_180, 29_900, 26_220)

    call.caller(30_700, 31_600, "goodbye")
    call.utterance(6, 30_700, 31_600, "goodbye")
    call.event(32_150, HangupRequested(call=SID, turn=6, reason="said goodbye"))
    end = call.reply(6, 32_240, [("Goodbye, and see you on Thursday.", 1900)])
    call.event(end + 60, Ended(call=SID, reason="agent_hung_up"))

    in_time = sorted(call.log, key=lambda stored: stored.time_s)
    log = [replace(stored, sequence=n) for n, stored in enumerate(in_time, 1)]
    facts = CarrierFacts(
        call=SID,
        zero_s=ZERO_S,
        said=tuple(call.said),
        pressed=(Pressed("1", 25_600), Pressed("#", 26_000)),
        clears_ms=(9103.0, 17_014.0),
        last_verb="Hangup",
        last_verb_from="/twilio/next",
    )
    kill = Kill(service="llm", pid=4242, turn=5, at_ms=26_300, moment="mid_reply")
    return SampleCall(log, facts, call.recording(34_600), (kill,))
