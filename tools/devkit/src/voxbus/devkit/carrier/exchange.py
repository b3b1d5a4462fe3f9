"""Where calls that the application orders are put through: which number does what, and the calls under way."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx

from voxbus.common.providers.tls import context
from voxbus.devkit.carrier.call import Call
from voxbus.devkit.carrier.core_line import LineQuality
from voxbus.devkit.carrier.core_resource import Resource
from voxbus.devkit.carrier.handset import Handset, LineEnded, Party
from voxbus.devkit.carrier.plan import CallPlan, Detection, Fate, StatusEvent
from voxbus.devkit.carrier.result import CallResult
from voxbus.devkit.carrier.route import Route


class Silent:
    """A party that says nothing until the call is over."""

    async def talk(self, handset: Handset) -> None:
        try:
            while True:
                await handset.frame()
        except LineEnded:
            return


@dataclass(frozen=True)
class Telephone:
    """What happens when a number is dialled. ``party`` makes whoever answers, anew for each call."""

    fate: Fate = "answers"
    ring_s: float = 0.5
    party: Callable[[], Party] = Silent


@dataclass
class Outgoing:
    """A call that was ordered: its record, and the call itself once it was put through."""

    resource: Resource
    call: Call
    task: asyncio.Task[CallResult] | None = None


@dataclass
class Exchange:
    """``telephones`` by number, ``default`` for all others.

    ``put_through`` False: calls are recorded and nothing rings, for tests of who orders what.
    """

    auth_token: str
    account_sid: str = "AC" + "0" * 32
    telephones: Mapping[str, Telephone] = field(default_factory=dict)
    default: Telephone = field(default_factory=Telephone)
    route: Route = field(default_factory=Route)
    line: LineQuality = field(default_factory=LineQuality)
    put_through: bool = True
    calls: dict[str, Outgoing] = field(default_factory=dict)

    async def __aenter__(self) -> Exchange:
        self._http = httpx.AsyncClient(trust_env=False, verify=context(), timeout=None)  # noqa: S113 - Webhooks limits each request
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [outgoing.task for outgoing in self.calls.values() if outgoing.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._http.aclose()

    def place(self, form: Mapping[str, str], events: frozenset[StatusEvent]) -> Resource:
        """Takes the order and begins to dial. Everything after that the callbacks tell."""
        sid = "CA" + secrets.token_hex(16)
        resource = Resource(sid, self.account_sid, form, time.time())
        telephone = self.telephones.get(form["To"], self.default)
        call = Call(self._plan(resource, telephone, events), self._http)
        outgoing = self.calls[sid] = Outgoing(resource, call)
        if self.put_through:
            outgoing.task = asyncio.create_task(self._run(outgoing, telephone.party()), name=f"call {sid}")
        return resource

    def refresh(self, outgoing: Outgoing) -> Resource:
        """The record, brought up to what the call has come to."""
        resource, status = outgoing.resource, outgoing.call.result.status
        if status == "in-progress" and not resource.started_s:
            resource.started_s = time.time()
        # The REST API has no word for `initiated`.
        resource.status = "queued" if status == "initiated" else status
        return resource

    def _plan(self, resource: Resource, telephone: Telephone, events: frozenset[StatusEvent]) -> CallPlan:
        form = resource.form
        detection: Detection = (
            "DetectMessageEnd" if form.get("MachineDetection") == "DetectMessageEnd" else "Enable"
        )
        ring_limit_s = float(form.get("Timeout", "60"))
        too_long = telephone.ring_s > ring_limit_s
        return CallPlan(
            voice_url=form["Url"],
            voice_method="GET" if form.get("Method") == "GET" else "POST",
            auth_token=self.auth_token,
            account_sid=self.account_sid,
            call_sid=resource.sid,
            direction="outbound-api",
            from_number=resource.from_number,
            to_number=resource.to,
            status_url=form.get("StatusCallback", ""),
            status_events=events,
            ring_s=min(telephone.ring_s, ring_limit_s),
            fate="no-answer" if too_long and telephone.fate == "answers" else telephone.fate,
            amd_url=form.get("AsyncAmdStatusCallback", "") if form.get("MachineDetection") else "",
            detection=detection,
            line=self.line,
            time_limit_s=float(form.get("TimeLimit", "14400")),
            route=self.route,
        )

    async def _run(self, outgoing: Outgoing, party: Party) -> CallResult:
        try:
            return await outgoing.call.run(party)
        finally:
            outgoing.resource.ended_s = time.time()
            self.refresh(outgoing)
