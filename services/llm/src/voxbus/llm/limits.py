"""Deadlines of a provider's stream: how long it may be silent, and how long all of it may take."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from voxbus.common.errors import ProviderError
from voxbus.llm.providers.base import Delta, Finish

#: For what may follow a reply that has ended.
_AFTER_FINISH_S: Final = 0.5


@dataclass(frozen=True)
class Limits:
    """``first_s``: to the first token; ``silence_s``: between two."""

    first_s: float = 3.0
    silence_s: float = 3.0
    reply_s: float = 20.0


async def limited(deltas: AsyncGenerator[Delta, None], limits: Limits) -> AsyncGenerator[Delta, None]:
    """``deltas``, or ProviderError: ``first_token_timeout``, ``stalled`` or ``reply_timeout``.

    Once the reply has its ``Finish`` nothing can go wrong any more: usage that does not come is done without.
    """
    loop = asyncio.get_running_loop()
    ends_s = loop.time() + limits.reply_s
    begun = finished = False
    async with aclosing(deltas):
        while True:
            left_s = ends_s - loop.time()
            silence_s = limits.silence_s if begun else limits.first_s
            wait_s = _AFTER_FINISH_S if finished else min(silence_s, left_s)
            try:
                async with asyncio.timeout(wait_s):
                    delta = await anext(deltas, None)
            except TimeoutError:
                if finished:
                    return
                if left_s <= silence_s:
                    raise ProviderError("reply_timeout") from None
                raise ProviderError("stalled" if begun else "first_token_timeout") from None
            except ProviderError:
                if finished:
                    return
                raise
            if delta is None:
                return
            begun = True
            finished = finished or isinstance(delta, Finish)
            yield delta
