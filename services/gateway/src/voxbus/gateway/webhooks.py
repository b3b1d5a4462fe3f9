"""What Twilio asks over HTTP, and what is answered. Nothing here knows how the requests came in."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from voxbus.common import events as ev
from voxbus.common import subjects
from voxbus.common.bus import Bus
from voxbus.common.context import encode_context
from voxbus.common.errors import Conflict, InvalidCallSid
from voxbus.common.events import Direction, Event
from voxbus.common.fold import CallState, fold
from voxbus.common.logs import get_logger
from voxbus.gateway import metrics, tokens, twiml
from voxbus.gateway.admission import context_of
from voxbus.gateway.agents import Catalog
from voxbus.gateway.core_next import Dial, HangUp, Next, Reconnect, decide
from voxbus.gateway.errors import Refused
from voxbus.gateway.tokens import Leg
from voxbus.gateway.urls import Origin

log = get_logger(__name__)

#: https://www.twilio.com/docs/voice/api/call-resource, call status values: after these the call is over.
TERMINAL: Final = frozenset(("completed", "busy", "no-answer", "canceled", "failed"))

_WORD = re.compile(r"[a-z_-]{1,32}")


@dataclass(frozen=True)
class Asked:
    """A request that passed the gate. ``fields``: Twilio's parameters; ``query``: those of the URL."""

    origin: Origin
    fields: Mapping[str, str]
    query: Mapping[str, str]

    @property
    def sid(self) -> str:
        """Raises Refused."""
        sid = self.fields.get("CallSid")
        if sid is None:
            raise Refused(400, "no_call_sid", "the parameter CallSid is missing")
        try:
            return subjects.check_sid(sid)
        except InvalidCallSid as error:
            raise Refused(400, error.code, f"the parameter CallSid is {error}") from None

    @property
    def session(self) -> str:
        """Whoever dialled put it into the URL; empty for an inbound call. Raises Refused."""
        session = self.query.get("session", "")
        if session and not subjects.is_session(session):
            raise Refused(400, "bad_session", "the parameter session is no session id")
        return session

    @property
    def direction(self) -> Direction:
        return "outbound" if self.fields.get("Direction", "").startswith("outbound") else "inbound"

    @property
    def from_number(self) -> str:
        return self.fields.get("From", "")[:64]

    @property
    def to_number(self) -> str:
        return self.fields.get("To", "")[:64]

    def number(self, source: Mapping[str, str], name: str) -> int:
        """0 when it is missing. Raises Refused."""
        text = source.get(name) or "0"
        if not (text.isascii() and text.isdigit() and len(text) <= 9):
            raise Refused(400, "bad_number", f"the parameter {name} is not a number")
        return int(text)


class Webhooks:
    def __init__(self, bus: Bus, catalog: Catalog) -> None:
        self._bus = bus
        self._catalog = catalog

    async def voice(self, asked: Asked, *, stops_alone: bool) -> str:
        """A call is coming in, or was answered: TwiML that connects it to a stream of ours."""
        sid = asked.sid
        session = asked.session
        context = await context_of(self._bus, sid, session)
        name = context.agent or asked.query.get("agent", "")
        self._catalog.resolve(name, context.variables)  # what is wrong with it is said now, not in the call
        if session:
            await self._bus.contexts.create(subjects.context_of_call(sid), encode_context(context))
        leg = _leg(asked, name, context.session or session)
        answered_by = asked.fields.get("AnsweredBy", "")
        if answered_by:  # with synchronous detection the result comes with this request
            await self._answered_by(sid, session, answered_by)
        return await self._connect(asked.origin, leg, Reconnect(0, 0), stops_alone=stops_alone)

    async def next(self, asked: Asked, *, stops_alone: bool) -> str:
        """A stream is over: what now?"""
        sid, query = asked.sid, asked.query
        decision, state = await self.decide(sid, asked.number(query, "streams"), asked.number(query, "tries"))
        match decision:
            case HangUp(apologize=True):
                return await self._apology(asked, state)
            case HangUp():
                return twiml.hang_up()
            case Dial(number):
                return twiml.dial(number)
            case Reconnect():
                # Whole again: the call may not have begun yet, and who answered its webhook may be gone.
                leg = _leg(asked, query.get("agent", ""), asked.session)
                return await self._connect(asked.origin, leg, decision, stops_alone=stops_alone)

    async def _apology(self, asked: Asked, state: CallState) -> str:
        if state.started is not None:
            agent = state.started.agent
        else:
            context = await context_of(self._bus, asked.sid, asked.session)
            agent = self._catalog.resolve(context.agent or asked.query.get("agent", ""), context.variables)
        return twiml.apologize(agent.lines.no_capacity, agent.language)

    async def decide(self, sid: str, streams: int, tries: int) -> tuple[Next, CallState]:
        """See ``core_next.decide``; when that ends the call, it is in the log before this returns."""
        state = fold(await self._bus.read_log(sid))
        decision = decide(state, streams, tries)
        match decision:
            case HangUp(reason, detail):
                if detail:
                    log.error("a call is given up", call_sid=sid, why=detail)
                if reason is not None:
                    await self._once(ev.Ended(call=sid, reason=reason, detail=detail))
            case Dial():
                await self._once(ev.Ended(call=sid, reason="transferred"))
            case Reconnect():
                pass
        return decision, state

    async def _connect(self, origin: Origin, leg: Leg, then: Reconnect, *, stops_alone: bool) -> str:
        token = await tokens.mint(self._bus.tokens, leg)
        parameters = {"token": token} | ({"session": leg.session} if leg.session else {})
        known = {"agent": leg.agent, "session": leg.session}
        following = {"streams": then.streams, "tries": then.tries} | {k: v for k, v in known.items() if v}
        return twiml.stream(
            origin.socket(f"/twilio/stream/{leg.sid}"),
            parameters,
            origin.http("/twilio/stream-status"),
            origin.http(f"/twilio/next?{urlencode(following)}"),
            then.pause_s(stops_alone=stops_alone),
        )

    async def status(self, asked: Asked) -> None:
        """The carrier reports what became of the call. Order and repetition do not matter."""
        sid = asked.sid
        session = asked.session
        status = asked.fields.get("CallStatus", "")
        if _WORD.fullmatch(status) is None:
            raise Refused(400, "bad_status", "the parameter CallStatus is missing or no status")
        fields = asked.fields
        await self._once(
            ev.Status(
                call=sid,
                sequence=asked.number(fields, "SequenceNumber"),
                session=session,
                direction=asked.direction,
                from_number=asked.from_number,
                to_number=asked.to_number,
                status=status,
                duration_s=asked.number(fields, "CallDuration"),
                sip_code=asked.number(fields, "SipResponseCode"),
            )
        )
        if status in TERMINAL:
            await self._once(ev.Ended(call=sid, reason="carrier", detail=status))

    async def amd(self, asked: Asked) -> None:
        """Who answered: a person or a machine."""
        await self._answered_by(asked.sid, asked.session, asked.fields.get("AnsweredBy", ""))

    async def _answered_by(self, sid: str, session: str, answered_by: str) -> None:
        if _WORD.fullmatch(answered_by) is None:
            raise Refused(400, "bad_answered_by", "the parameter AnsweredBy is missing or no result")
        await self._once(ev.Status(call=sid, sequence=0, session=session, answered_by=answered_by))

    def stream_status(self, asked: Asked) -> None:
        """The carrier's view of a stream; its errors name what is wrong with our side."""
        event = asked.fields.get("StreamEvent", "")
        if event == "stream-error":
            # A code, and a text after it in some reports.
            code = asked.fields.get("StreamError", "").partition(" ")[0]
            known = code if code.isascii() and code.isdigit() and len(code) == 5 else "other"
            metrics.STREAM_ERRORS.labels(known).inc()
            log.warning("the carrier reports a stream error", call_sid=asked.sid, code=known)

    async def _once(self, event: Event) -> None:
        try:
            await self._bus.append(event)
        except Conflict:
            log.debug("event was in the log already", call_sid=event.call, kind=event.kind)


def _leg(asked: Asked, agent: str, session: str) -> Leg:
    """What a stream must know when it begins the call. Twilio tells the numbers with every request."""
    return Leg(
        asked.sid,
        time.time() + tokens.VALID_S,
        session=session,
        agent=agent,
        direction=asked.direction,
        from_number=asked.from_number,
        to_number=asked.to_number,
    )
