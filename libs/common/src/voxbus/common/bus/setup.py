"""The one setup step: streams, consumers and buckets. Services only bind to what it made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import nats.errors
import nats.js.errors as js_errors
from nats.js import JetStreamContext, api

from voxbus.common import subjects
from voxbus.common.errors import BusUnavailable

if TYPE_CHECKING:
    from voxbus.common.bus.client import Bus

#: How long a job's holder may be silent before another worker gets the job.
ACK_WAIT_S = 1.0
#: Twilio may keep a call in its queue for 24 h before it asks us what to do with it.
CONTEXT_TTL_S = 25 * 3600
TOKEN_TTL_S = 120
#: The longest call and a margin.
CALLS_MAX_AGE_S = 6 * 3600
CALLS_MAX_BYTES = 4 * 2**30
_DAY_S = 86_400.0


@dataclass(frozen=True)
class Placement:
    """``replicas`` is 1, or 3 on a cluster. ``archive_days``: how long ended calls are kept."""

    replicas: int = 1
    archive_days: float = 30.0


def _calls(name: str, replicas: int) -> api.StreamConfig:
    return api.StreamConfig(
        name=name,
        description="The logs of calls: one subject an event, kept once",
        subjects=[subjects.CALL_EVENTS],
        storage=api.StorageType.FILE,
        num_replicas=replicas,
        # The subject is the idempotency key: a second message on it is refused, not stored over the first.
        max_msgs_per_subject=1,
        discard=api.DiscardPolicy.NEW,
        discard_new_per_subject=True,
        max_age=CALLS_MAX_AGE_S,
        max_bytes=CALLS_MAX_BYTES,
        duplicate_window=120,
        allow_direct=True,
        republish=api.RePublish(src=subjects.REPUBLISH_SOURCE, dest=subjects.REPUBLISH_TARGET),
    )


def _archive(max_age_s: float, replicas: int) -> api.StreamConfig:
    return api.StreamConfig(
        name=subjects.ARCHIVE_STREAM,
        description="Ended calls, one message each",
        subjects=[subjects.ARCHIVE_SUBJECTS],
        storage=api.StorageType.FILE,
        num_replicas=replicas,
        max_msgs_per_subject=1,
        max_age=max_age_s,
        allow_direct=True,
    )


def _bucket(name: str, ttl_s: float, replicas: int) -> api.StreamConfig:
    """What clients take for a key-value bucket, by its stream. No direct reads: a replica may be behind."""
    watched = api.RePublish(src=subjects.keys_of(name), dest=subjects.changes_of(name))
    return api.StreamConfig(
        name=subjects.stream_of_bucket(name),
        subjects=[subjects.keys_of(name)],
        storage=api.StorageType.FILE,
        num_replicas=replicas,
        max_msgs_per_subject=1,
        discard=api.DiscardPolicy.NEW,
        max_age=ttl_s,
        duplicate_window=min(ttl_s or 120, 120),
        deny_delete=True,
        # With these a message could take others away, whose keys its sender may not write, or outlive them.
        allow_rollup_hdrs=False,
        allow_msg_ttl=False,
        allow_direct=False,
        republish=watched if name in subjects.WATCHED else None,
    )


def _consumer(name: str, filters: tuple[str, ...], replicas: int) -> api.ConsumerConfig:
    return api.ConsumerConfig(
        durable_name=name,
        filter_subjects=list(filters),
        ack_policy=api.AckPolicy.EXPLICIT,
        ack_wait=ACK_WAIT_S,
        # Every running call is a pending job: a limit here would stop the call after it.
        max_ack_pending=-1,
        deliver_policy=api.DeliverPolicy.ALL,
        num_replicas=replicas,
    )


async def ensure(bus: Bus, placement: Placement | None = None) -> None:
    """Makes what is missing and updates what differs. Several processes may call it at the same time.

    Raises BusUnavailable when JetStream does not answer.
    """
    placement = placement or Placement()
    replicas, archive_s = placement.replicas, placement.archive_days * _DAY_S
    js = bus.control.jetstream(timeout=5)
    try:
        await _stream(js, _archive(archive_s, replicas))
        for bucket, ttl in (
            (subjects.CONTEXTS, CONTEXT_TTL_S),
            (subjects.TOKENS, TOKEN_TTL_S),
            (subjects.AGENTS, 0),
            (subjects.CLIPS, 0),
            (subjects.LOST_REPORTS, archive_s),
        ):
            await _stream(js, _bucket(bucket, ttl, replicas))
        # Last: whoever finds it finds all the rest (Bus.check).
        for name in subjects.streams():
            await _stream(js, _calls(name, replicas))
            for consumer, filters in subjects.JOB_FILTERS.items():
                await js.add_consumer(name, _consumer(consumer, filters, replicas))
    except (js_errors.Error, nats.errors.Error, TimeoutError) as error:
        raise BusUnavailable(f"JetStream could not be set up: {type(error).__name__} {error}") from error


async def _stream(js: JetStreamContext, config: api.StreamConfig) -> None:
    try:
        await js.add_stream(config)
    except js_errors.BadRequestError as error:
        if error.err_code != 10058:  # the stream exists with another configuration
            raise
        try:
            await js.update_stream(config)
        except js_errors.ServerError as refused:
            if refused.err_code != 10052 or config.allow_msg_ttl is not False:  # no valid configuration
                raise
            # Of an older version: no server takes the time to live of messages back.
            await js.update_stream(replace(config, allow_msg_ttl=True))
