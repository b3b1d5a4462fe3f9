"""Kills the worker that has a turn in its hands, at a chosen moment of the reply."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping

import httpx

from voxbus.common.events import Sentence, Stored, Utterance
from voxbus.devkit.demo.facts import Moment
from voxbus.devkit.stack import ChildFailed, Stack

#: How far into the model's work the moment ``first_word`` is: a few tokens.
_UNDER_WAY_S = 0.06
_POLL_S = 0.005
_GIVE_UP_S = 3.0

_IN_WORK = re.compile(r"^voxbus_llm_turns_in_work (\S+)$", re.MULTILINE)


async def busy_llm(stack: Stack, http: httpx.AsyncClient) -> str | None:
    """The LLM worker that says of itself that it answers a turn; None when none does."""
    names = stack.names("llm")
    for name, busy in zip(
        names, await asyncio.gather(*(_is_busy(stack, http, n) for n in names)), strict=True
    ):
        if busy:
            return name
    return None


async def _is_busy(stack: Stack, http: httpx.AsyncClient, name: str) -> bool:
    try:
        answer = await http.get(f"http://127.0.0.1:{stack.children[name].port('metrics_port')}/metrics")
    except (httpx.TransportError, ChildFailed):
        return False  # killed, and its successor is not up yet
    found = _IN_WORK.search(answer.text)
    return found is not None and float(found[1]) > 0


class Killer:
    """``plan``: the moment by turn. ``find`` names the worker that is at work, ``kill(name, turn, moment)`` kills it.

    ``notice`` is called with each event of the call as it is stored. Who works is asked as soon as the turn begins: at
    the first sentence it would be too late, a model is fast.
    """

    def __init__(
        self,
        plan: Mapping[int, Moment],
        find: Callable[[], Awaitable[str | None]],
        kill: Callable[[str, int, Moment], None],
    ) -> None:
        self._plan = dict(plan)
        self._find = find
        self._kill = kill
        self._spoken: dict[int, asyncio.Event] = {turn: asyncio.Event() for turn in plan}
        self._stalking: set[asyncio.Task[None]] = set()

    def notice(self, stored: Stored) -> None:
        match stored.event:
            case Utterance(backchannel=False, turn=turn) if (
                turn in self._plan
            ):  # guesses too: the work begins then
                task = asyncio.create_task(self._stalk(turn, self._plan.pop(turn)))
                self._stalking.add(task)
                task.add_done_callback(self._stalking.discard)
            case Sentence(index=0, turn=turn) if turn in self._spoken:
                self._spoken[turn].set()
            case _:
                pass

    async def _stalk(self, turn: int, moment: Moment) -> None:
        try:
            async with asyncio.timeout(_GIVE_UP_S):
                while (name := await self._find()) is None:  # noqa: ASYNC110 - a process can only be asked
                    await asyncio.sleep(_POLL_S)
                if moment == "first_word":
                    await asyncio.sleep(_UNDER_WAY_S)
                else:
                    await self._spoken[turn].wait()
        except TimeoutError:
            return  # the checks will say that nobody was killed
        self._kill(name, turn, moment)
