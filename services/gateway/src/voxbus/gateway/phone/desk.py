"""What the page asks for: whom to call, a call, and what to do when its stream is over."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import Literal

import msgspec

from voxbus.common import subjects
from voxbus.common.errors import InvalidCallSid
from voxbus.gateway import tokens
from voxbus.gateway.core_next import Dial, HangUp, Reconnect
from voxbus.gateway.errors import Refused
from voxbus.gateway.phone.examples import examples, keys
from voxbus.gateway.switchboard import Switchboard
from voxbus.gateway.tokens import Leg
from voxbus.gateway.webhooks import Webhooks

#: Who calls, as Twilio names callers that are no telephones.
CALLER = "client:browser"


class AgentEntry(msgspec.Struct, frozen=True):
    """``says``: phrases that the built-in recognizer understands. ``keys``: what they stand for."""

    name: str
    description: str
    says: tuple[str, ...]
    keys: dict[str, str]


class Placed(msgspec.Struct, frozen=True):
    """``token`` begins one stream, once. ``key`` follows the call as long as it lasts."""

    call_sid: str
    token: str
    key: str


class Then(msgspec.Struct, frozen=True):
    """``connect``: another stream, with this ``token``, in ``pause_s``. Next time bring back ``streams``, ``tries``."""

    then: Literal["connect", "hang_up", "transfer"]
    token: str = ""
    pause_s: float = 0.0
    streams: int = 0
    tries: int = 0


class Desk:
    def __init__(self, board: Switchboard, webhooks: Webhooks) -> None:
        self._board = board
        self._webhooks = webhooks
        self._agents: tuple[AgentEntry, ...] | None = None

    def agents(self) -> tuple[AgentEntry, ...]:
        """Those that can be called without a context, the default one first."""
        if self._agents is None:  # a grammar takes some ms to read
            self._agents = tuple(
                AgentEntry(agent.name, agent.description, examples(agent), keys(agent))
                for agent in self._board.catalog.callable()
            )
        return self._agents

    async def place(self, agent: str) -> Placed:
        """A call to ``agent`` (empty = the default one), whose stream may begin now.

        Raises Refused, or BusUnavailable.
        """
        self._refuse_when_draining()
        self._board.refuse_when_full()
        self._board.catalog.resolve(agent, {})
        sid = "CA" + secrets.token_hex(16)
        key = secrets.token_urlsafe(32)
        await self._board.bus.contexts.put(subjects.phone_of_call(sid), _digest(key))
        return Placed(sid, await self._mint(sid, agent), key)

    async def check_key(self, sid: str, key: str) -> None:
        """Raises Refused when ``key`` is not that of the call, or BusUnavailable."""
        try:
            stored = await self._board.bus.contexts.get(subjects.phone_of_call(sid))
        except InvalidCallSid as error:
            raise Refused(400, error.code, f"the URL holds {error}") from None
        if stored is None or not hmac.compare_digest(stored, _digest(key)):
            raise Refused(403, "wrong_call_key", "this is not the key of this call")

    async def next(self, sid: str, agent: str, streams: int, tries: int) -> Then:
        """As /twilio/next: the stream is over, and the log says what now. Raises BusUnavailable.

        ``agent`` is whom the call was placed to: it may not have begun yet.
        """
        decision, _ = await self._webhooks.decide(sid, streams, tries)
        match decision:
            case HangUp():
                return Then("hang_up")
            case Dial():
                return Then("transfer")
            case Reconnect():
                token = await self._mint(sid, agent)
                pause_s = decision.pause_s(stops_alone=self._board.stops_alone)
                return Then("connect", token, pause_s, decision.streams, decision.tries)

    async def _mint(self, sid: str, agent: str) -> str:
        leg = Leg(sid, time.time() + tokens.VALID_S, agent=agent, from_number=CALLER)
        return await tokens.mint(self._board.bus.tokens, leg)

    def _refuse_when_draining(self) -> None:
        if self._board.draining:
            raise Refused(503, "draining", "this gateway stops; ask again in a moment", retry_after_s=1)
        if reason := self._board.not_ready():
            raise Refused(503, "not_ready", reason, retry_after_s=2)


def _digest(key: str) -> bytes:
    """The bus keeps what recognizes a key, and not the key."""
    return hashlib.sha256(key.encode()).digest()
