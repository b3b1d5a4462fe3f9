"""A subscription that can be closed at any time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nats import errors

from voxbus.common.errors import BusClosed, BusUnavailable

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.subscription import Subscription as NatsSubscription


class Subscription:
    def __init__(self, subscription: NatsSubscription) -> None:
        self._subscription = subscription

    async def close(self) -> None:
        try:
            await self._subscription.unsubscribe()
        except errors.Error:
            return  # gone already, or with its connection


@contextmanager
def reaching(what: str) -> Iterator[None]:
    """The client's errors are ours in here. ``what`` is under way, for their texts."""
    try:
        yield
    except errors.ConnectionClosedError as error:
        raise BusClosed(f"{what}: the connection is closed") from error
    except errors.Error as error:
        raise BusUnavailable(f"{what}: {type(error).__name__}") from error


async def known(client: Client, subscription: NatsSubscription) -> Subscription:
    """Once the server knows of it: what others send from now on arrives. Raises BusUnavailable."""
    # The client's ping overtakes what waits to be written, the subscription too. Before the second one all is out.
    try:
        with reaching("subscribing"):
            await client.flush()
            await client.flush()
    except BaseException:
        await Subscription(subscription).close()
        raise
    return Subscription(subscription)
