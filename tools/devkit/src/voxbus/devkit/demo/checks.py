"""What has to happen in the demo's call. A check says what was seen and, when it failed, what was expected. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from voxbus.devkit.crm import Crm
from voxbus.devkit.demo.facts import CarrierFacts, Moment
from voxbus.devkit.demo.measure import MeasuredTurn
from voxbus.devkit.demo.summary import Check, Summary

#: The first sound of the caller to the last sound of the agent.
STOP_WITHIN_MS = 150
#: A worker killed in mid-turn may add so much silence.
KILL_ADDS_AT_MOST_MS = 1500
#: The check by the moment of the kill, with the service for {}.
KILLED: dict[Moment, str] = {
    "first_word": "an {} worker killed before its first word: another one answers",
    "mid_reply": "an {} worker killed in mid-reply: another one goes on",
}
ACTIVE_DBFS = (-22.0, -18.0)
PEAK_DBFS = -3.0
TURNS, TURNS_OUT = 3, 2
#: Two frames. A simulator that is later than this makes every latency look worse than it is.
_BUSY_MS = 40


def check(summary: Summary, facts: CarrierFacts, moments: Sequence[Moment]) -> list[Check]:
    """Of the call in. ``moments``: those at which a worker has to have been killed."""
    return [
        *_conversation(summary, facts, TURNS),
        *_over_the_agent(summary, facts),
        *_keys(summary, facts),
        *_kills(summary, moments),
        *_goodbye(summary),
        *_sound(summary),
        _warnings(summary),
    ]


def check_out(summary: Summary, facts: CarrierFacts) -> list[Check]:
    """Of the call out."""
    return [
        *_hello(summary, facts),
        *_conversation(summary, facts, TURNS_OUT),
        *_goodbye(summary),
        *_sound(summary),
        _warnings(summary),
        *_order(summary),
    ]


def reported(summary: Summary) -> Check:
    """Whether the signed report arrived, and says that there was a conversation."""
    seen = f"{'delivered' if summary.report_delivered else 'not delivered'}, stored as {summary.outcome or 'nothing'}"
    ok = summary.report_delivered and summary.outcome == "completed"
    return _check("the signed report is stored at the scheduler", ok, seen, "delivered, stored as completed")


def says(summary: Summary, turn: int, words: str, name: str = "what was asked for is done") -> Check:
    """Whether ``words`` (lower case) are in the reply of the turn."""
    heard = " ".join(s.heard for m in summary.turns if m.turn.number == turn for s in m.turn.sentences)
    seen, expected = f"“{heard}”", f"“{words}” in turn {turn}"
    return _check(name, bool(words) and words in heard.lower(), seen, expected)


def looked_up(summary: Summary, turn: int, crm: Crm) -> Check:
    """Whether the reply of the turn names the appointment that the CRM has, heard or cut off."""
    told = " ".join(
        f"{s.heard} {s.unheard}" for m in summary.turns if m.turn.number == turn for s in m.turn.sentences
    )
    words = f"{crm.first.day} at {crm.first.time}".lower()
    expected = f"“{words}” in turn {turn}, asked of the CRM"
    seen = f"“{told}”, and the CRM was asked {len(crm.asked)} times"
    return _check("the appointment is looked up", bool(crm.asked) and words in told.lower(), seen, expected)


def _check(name: str, passed: bool, seen: str, expected: str) -> Check:
    return Check(name, passed, seen if passed else f"expected {expected}; seen: {seen}")


def _hello(summary: Summary, facts: CarrierFacts) -> Iterator[Check]:
    hello = facts.said[0] if facts.said else None
    agent_ms = summary.turns[0].first_sound_ms if summary.turns else None
    seen = f"“{hello.text}” until {_ms(hello.end_ms)}" if hello else "no hello"
    ok = hello is not None and agent_ms is not None and hello.end_ms <= agent_ms
    yield _check(
        "the callee speaks first", ok, seen, f"a hello that is over when the agent speaks, at {_ms(agent_ms)}"
    )


def _conversation(summary: Summary, facts: CarrierFacts, turns: int) -> Iterator[Check]:
    first = summary.turns[0] if summary.turns else None
    greeted = (
        first is not None and first.turn.cause == "greeting" and all(s.complete for s in first.turn.sentences)
    )
    seen = (
        f"after {_ms(first.voice_to_voice_ms)}"
        if first is not None and greeted
        else "no greeting heard whole"
    )
    yield _check("greeted", greeted, seen, "the greeting, heard whole")

    answered = [
        t for t in summary.turns if t.turn.cause == "speech" and any(s.heard for s in t.turn.sentences)
    ]
    middle = summary.median_voice_to_voice_ms()
    yield _check(
        f"at least {turns} turns answered",
        len(answered) >= turns,
        f"{len(answered)}, voice to voice {_ms(middle)} in the middle",
        f"{turns} or more",
    )

    # A hello before the agent's first word needs no words: it is answered with the greeting.
    began_ms = first.first_sound_ms if first is not None and first.first_sound_ms is not None else 0.0
    asked = [said for said in facts.said if said.start_ms >= began_ms]
    meant = [_words(said.text) for said in asked if said.purpose != "backchannel"]
    understood = [
        _words(t.turn.caller.text) for t in summary.turns if t.turn.caller and t.turn.cause == "speech"
    ]
    yield _check("every word understood", [] != meant == understood, _quoted(understood), _quoted(meant))


def _over_the_agent(summary: Summary, facts: CarrierFacts) -> Iterator[Check]:
    hums = sum(said.purpose == "backchannel" for said in facts.said)
    cut = {i.turn for i in summary.interruptions}
    went_on = [b for b in summary.backchannels if b.turn not in cut and _complete(summary, b.turn)]
    seen = ", ".join(f"“{b.text}” in turn {b.turn}, held {b.held_ms:.0f} ms" for b in went_on) or "none"
    expected = f"{hums} over the agent, which goes on"
    yield _check("the agent goes on after mm-hm", 0 < hums == len(went_on), seen, expected)

    wanted = sum(said.purpose == "interruption" for said in facts.said)
    stops = [i.stopped_ms for i in summary.interruptions]
    seen = ", ".join(f"silent after {_ms(ms)}" for ms in stops) or "no interruption"
    if summary.simulator_late_ms > _BUSY_MS:
        seen += f" (on a busy machine: the simulator itself was up to {_ms(summary.simulator_late_ms)} late)"
    ok = 0 < wanted == len(stops) and all(ms <= STOP_WITHIN_MS for ms in stops)
    yield _check(
        "the agent stops when interrupted", ok, seen, f"{wanted} interruption, silent in {STOP_WITHIN_MS} ms"
    )


def _keys(summary: Summary, facts: CarrierFacts) -> Iterator[Check]:
    pressed = "".join(p.digit for p in facts.pressed)
    arrived = "".join(k.digit for k in summary.keys)
    answered = any(t.turn.cause == "keys" and any(s.heard for s in t.turn.sentences) for t in summary.turns)
    seen = f"{arrived or 'nothing'} arrived, {'answered' if answered else 'not answered'}"
    yield _check(
        "the key press is answered", "" != pressed == arrived and answered, seen, f"{pressed} answered"
    )


def _kills(summary: Summary, moments: Sequence[Moment]) -> Iterator[Check]:
    for moment in moments:
        kill = next((one for one in summary.kills if one.moment == moment), None)
        if kill is None:
            yield _check(KILLED[moment].format("llm"), False, "nobody was killed", "a kill")
            continue
        whole = _complete(summary, kill.turn)
        reply = "whole" if whole else "not whole"
        seen = f"turn {kill.turn}: {_ms(kill.added_ms)} of silence added, the reply is {reply}"
        ok = whole and kill.added_ms <= KILL_ADDS_AT_MOST_MS
        expected = f"a whole reply and at most {KILL_ADDS_AT_MOST_MS} ms"
        yield _check(KILLED[moment].format(kill.service), ok, seen, expected)


def _goodbye(summary: Summary) -> Iterator[Check]:
    last = summary.turns[-1].turn.number if summary.turns else 0
    said = bool(last) and _complete(summary, last)
    yield _check(
        "said goodbye to", said, "heard whole" if said else "cut or missing", "the last reply, heard whole"
    )
    verb = f"{summary.last_verb or 'no verb'} from {summary.last_verb_from or 'nowhere'}"
    ok = (verb, summary.ended) == ("Hangup from /twilio/next", "agent_hung_up")
    seen = f"{verb}, {summary.ended or 'not ended'}"
    yield _check("hung up through /twilio/next", ok, seen, "Hangup from /twilio/next, agent_hung_up")


def _sound(summary: Summary) -> Iterator[Check]:
    low, high = ACTIVE_DBFS
    active, peak = summary.levels.agent_active_dbfs, summary.levels.agent_peak_dbfs
    yield _check(
        "the agent is as loud as it should be",
        low <= active <= high and peak <= PEAK_DBFS,
        f"{active:.1f} dBFS, peak {peak:.1f}",
        f"{low:.0f} to {high:.0f} dBFS, peak {PEAK_DBFS:.0f} at most",
    )


def _warnings(summary: Summary) -> Check:
    return _check("no protocol warnings", not summary.warnings, "; ".join(summary.warnings) or "none", "none")


def _order(summary: Summary) -> Iterator[Check]:
    steps = [step.state for step in summary.order.steps] if summary.order else []
    ok = steps.count("dialling") == 1 and steps[-1:] == ["completed"]
    yield _check(
        "dialled once, and followed to its end", ok, ", ".join(steps), "one dialling, then completed"
    )


def _complete(summary: Summary, turn: int) -> bool:
    found: list[MeasuredTurn] = [t for t in summary.turns if t.turn.number == turn]
    return bool(found) and all(s.complete for t in found for s in t.turn.sentences)


def _words(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9']+", text.lower()))


def _quoted(texts: Sequence[str]) -> str:
    return ", ".join(f"“{text}”" for text in texts) or "nothing"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"
