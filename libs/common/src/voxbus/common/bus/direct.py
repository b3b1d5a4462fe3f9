"""Direct Get: reads of a stream that make no consumer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import nats.errors
from nats.aio.msg import Msg

from voxbus.common.bus.audio_link import Subscription
from voxbus.common.errors import BusError, BusUnavailable

if TYPE_CHECKING:
    from nats.aio.client import Client


class TooManySubjects(Exception):
    """A ``multi_last`` matches more subjects than the server answers for at once (1,024)."""


async def direct_get(client: Client, stream: str, query: Mapping[str, object]) -> list[Msg]:
    """The messages that answer ``query``, which must be one for a batch; each says in its headers what it is.

    Raises TooManySubjects, BusUnavailable when no answer comes, BusError for a query that is refused.
    """
    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox)
    messages: list[Msg] = []
    try:
        await client.publish(f"$JS.API.DIRECT.GET.{stream}", json.dumps(query).encode(), reply=inbox)
        while True:
            message = await subscription.next_msg(timeout=2)
            headers = message.headers or {}
            match headers.get("Status"):
                case None:
                    messages.append(message)
                case "204" | "404":  # the end of the batch, or there was nothing
                    return messages
                case "413":
                    raise TooManySubjects
                case "503":
                    raise BusUnavailable(f"the stream {stream} does not answer")
                case status:
                    raise BusError(f"reading {stream} was refused: {status} {headers.get('Description', '')}")
    except nats.errors.Error as error:
        raise BusUnavailable(f"reading {stream}: {type(error).__name__}") from error
    finally:
        await Subscription(subscription).close()
