"""Direct Get: reads of a stream that make no consumer."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Final

import nats.errors
from nats.aio.msg import Msg

from voxbus.common import subjects
from voxbus.common.bus.requests import AnswerLost, Requests
from voxbus.common.errors import BusClosed, BusError, BusUnavailable

_TIMEOUT_S: Final = 2.0


class TooManySubjects(Exception):
    """A ``multi_last`` matches more subjects than the server answers for at once (1,024)."""


async def direct_get(requests: Requests, stream: str, query: Mapping[str, object]) -> list[Msg]:
    """The messages that answer ``query``, which must be one for a batch; each says in its headers what it is.

    Raises TooManySubjects, BusUnavailable when no answer comes, BusError for a query that is refused.
    """
    asked = json.dumps(query).encode()
    while True:
        try:
            async with aclosing(requests.ask_many(subjects.direct_get(stream), asked, _TIMEOUT_S)) as answers:
                return await _batch(answers, stream)
        except AnswerLost:
            continue
        except nats.errors.ConnectionClosedError as error:
            raise BusClosed(f"reading {stream}: the connection is closed") from error
        except (nats.errors.Error, TimeoutError) as error:
            raise BusUnavailable(f"reading {stream}: {type(error).__name__}") from error


async def _batch(answers: AsyncGenerator[Msg, None], stream: str) -> list[Msg]:
    messages: list[Msg] = []
    async for message in answers:
        headers = message.headers or {}
        match headers.get("Status"):
            case None:
                messages.append(message)
            case "204" | "404":  # the end of the batch, or there was nothing
                break
            case "413":
                raise TooManySubjects
            case "503":
                raise BusUnavailable(f"the stream {stream} does not answer")
            case status:
                raise BusError(f"reading {stream} was refused: {status} {headers.get('Description', '')}")
    return messages
