"""Requests and their answers, on one inbox, that do not wait for what a broken connection has swallowed.

The client's own requests wait for their whole timeout when the server dies under them. Here whoever waits hears of it
as soon as the connection is back, and asks again.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from nats.aio.msg import Msg

from voxbus.common.bus.subscription import Subscription, known, reaching

if TYPE_CHECKING:
    from nats.aio.client import Client

_Answers = asyncio.Queue[Msg | None]
"""None: the connection was lost and is back."""


Handler = Callable[[bytes], bytes | Awaitable[bytes | None] | None]


class AnswerLost(Exception):
    """The connection broke while we waited, and is back: ask again."""


class Requests:
    """``reconnected``: its callbacks are called when the connection came back."""

    def __init__(self, client: Client, reconnected: list[Callable[[], None]]) -> None:
        self._client = client
        self._inbox = ""
        self._numbers = itertools.count()
        self._waiting: dict[str, _Answers] = {}
        reconnected.append(self._on_reconnected)

    async def ask(
        self, subject: str, data: bytes, timeout_s: float, headers: dict[str, str] | None = None
    ) -> Msg:
        """The answer. Raises TimeoutError, AnswerLost, or an error of the client."""
        async with self._asked(subject, data, headers) as answers:
            return await _next(answers, timeout_s)

    async def ask_many(self, subject: str, data: bytes, timeout_s: float) -> AsyncGenerator[Msg, None]:
        """Answers, until the generator is closed. ``timeout_s`` is for each. Raises as ``ask``."""
        async with self._asked(subject, data, None) as answers:
            while True:
                yield await _next(answers, timeout_s)

    @asynccontextmanager
    async def _asked(
        self, subject: str, data: bytes, headers: dict[str, str] | None
    ) -> AsyncIterator[_Answers]:
        await self._listen()
        answers: _Answers = asyncio.Queue()
        reply = f"{self._inbox}.{next(self._numbers)}"
        self._waiting[reply] = answers
        try:
            await self._client.publish(subject, data, reply=reply, headers=headers)
            yield answers
        finally:
            del self._waiting[reply]

    async def _listen(self) -> None:
        if not self._inbox:
            self._inbox = self._client.new_inbox()
            await self._client.subscribe(f"{self._inbox}.*", cb=self._on_answer, pending_msgs_limit=0)

    async def _on_answer(self, message: Msg) -> None:
        answers = self._waiting.get(message.subject)
        if answers is not None:
            answers.put_nowait(message)

    def _on_reconnected(self) -> None:
        for answers in self._waiting.values():
            answers.put_nowait(None)


async def _next(answers: _Answers, timeout_s: float) -> Msg:
    async with asyncio.timeout(timeout_s):
        message = await answers.get()
    if message is None:
        raise AnswerLost
    return message


async def answer(client: Client, subject: str, handler: Handler) -> Subscription:
    """Answers each request on ``subject`` from now on with ``handler(request)``, one by one; None = no answer."""

    async def respond(message: Msg) -> None:
        if not message.reply:
            return
        said = handler(message.data)
        if isinstance(said, Awaitable):
            said = await said
        if said is not None:
            await client.publish(message.reply, said)

    with reaching("subscribing"):
        subscription = await client.subscribe(subject, cb=respond)
    return await known(client, subscription)
