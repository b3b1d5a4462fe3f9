"""A subscription that can be closed at any time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nats import errors

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.subscription import Subscription as NatsSubscription


class Subscription:
    def __init__(self, subscription: NatsSubscription) -> None:
        self._subscription = subscription

    async def close(self) -> None:
        try:
            await self._subscription.unsubscribe()
        except (errors.BadSubscriptionError, errors.ConnectionClosedError):
            return  # gone already


async def known(client: Client, subscription: NatsSubscription) -> Subscription:
    """Once the server knows of it: what others send from now on arrives."""
    # The client's ping overtakes what waits to be written, the subscription too. Before the second one all is out.
    await client.flush()
    await client.flush()
    return Subscription(subscription)
