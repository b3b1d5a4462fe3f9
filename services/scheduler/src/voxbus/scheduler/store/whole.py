"""Transactions that are not cut in the middle."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

C = TypeVar("C")


def whole(store: type[C]) -> type[C]:
    """Lets every public coroutine of ``store`` run to its end, also when who waits for it is cancelled.

    A statement that is cancelled while the driver's thread works on it leaves a connection in its transaction, which
    nobody has any more and which keeps a SQLite file locked: one in some 60 cancellations did.
    """
    for name, method in vars(store).copy().items():
        if inspect.iscoroutinefunction(method) and not name.startswith("_"):
            setattr(store, name, _to_its_end(method))
    return store


def _to_its_end(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(method)
    async def run(*args: Any, **kwargs: Any) -> Any:
        task = asyncio.ensure_future(method(*args, **kwargs))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task})
            raise

    return run
