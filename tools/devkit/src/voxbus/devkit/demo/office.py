"""The scheduler, as whoever orders calls and keeps reports sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from voxbus.devkit.demo.facts import Order, Step

_POLL_S = 0.02


class NotOrdered(Exception):
    """The scheduler would not take the order, or made nothing of it."""


@dataclass(frozen=True)
class Office:
    """``http`` knows the scheduler's address and the bearer secret."""

    http: httpx.AsyncClient

    async def order(self, to: str, agent: str, variables: Mapping[str, str]) -> str:
        """The id of the call that will be placed. Raises NotOrdered."""
        answer = await self.http.post(
            "/trigger-outbound", json={"to": to, "agent": agent, "variables": dict(variables)}
        )
        if answer.status_code != httpx.codes.ACCEPTED:
            raise NotOrdered(f"the scheduler answers {answer.status_code}: {answer.text}")
        return str(answer.json()["id"])

    async def placed(self, call_id: str, timeout_s: float) -> str:
        """The CallSid, once the carrier has given it. Raises NotOrdered."""
        view = await self._until(call_id, lambda view: view["callSid"] or view["error"], timeout_s)
        if not view["callSid"]:
            raise NotOrdered(f"the scheduler does not get the call placed: it is {view['state']}")
        return str(view["callSid"])

    async def came_out(self, call_id: str, timeout_s: float) -> Order:
        """The order once it stands where its report says, or as it is when that does not come.

        The scheduler learns of the end from the log and of the report from the reporter, in any order.
        """

        def settled(view: dict[str, Any]) -> bool:
            return view["report"] is not None and view["report"]["outcome"] == view["state"]

        view = await self._until(call_id, settled, timeout_s)
        history = [
            (datetime.fromisoformat(step["at"]).timestamp(), step["state"]) for step in view["history"]
        ]
        ordered_s = history[0][0]
        steps = tuple(Step(state, round(1000 * (at_s - ordered_s), 1)) for at_s, state in history)
        return Order(view["to"], view["state"], steps)

    async def report(self, call_sid: str) -> bytes | None:
        """As it was signed; None when the scheduler has none."""
        answer = await self.http.get(f"/v1/reports/{call_sid}")
        return answer.content if answer.is_success else None

    async def _until(
        self, call_id: str, reached: Callable[[dict[str, Any]], object], timeout_s: float
    ) -> dict[str, Any]:
        """The call's record when ``reached`` likes it, or when the time is over."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while True:
            answer = await self.http.get(f"/v1/calls/{call_id}")
            answer.raise_for_status()
            view: dict[str, Any] = answer.json()
            if reached(view) or asyncio.get_running_loop().time() > deadline:
                return view
            await asyncio.sleep(_POLL_S)
