"""The one table of what each login may do on the bus. The server's configuration and docs/trust.md are made from it.

Each login has an account of its own at the server, and the streams are in one more, ``STORE``. Accounts share no
subject but those that stand here. That is more than permissions in one account could do: those are checked for what a
client publishes, not for where it has answers sent to, and a stream asked for a message of one's own making with
``call.{sid}.event.started.0`` as the place for the answer would put it into the log as the start of a call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from voxbus.common import subjects as s
from voxbus.common.publishers import PUBLISHERS

#: Makes streams, consumers and buckets, once. The only login with a right to.
SETUP: Final = "setup"
#: People: ``voxbus tap``, ``voxbus reports``.
OPERATOR: Final = "operator"


@dataclass(frozen=True)
class Rights:
    """What a login may do with what is stored.

    ``writes``: subjects of streams. ``asks``: questions to JetStream. ``says``: what became of a job. ``hears``: what
    is told of each message that is stored.
    """

    writes: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    hears: tuple[str, ...] = ()


@dataclass(frozen=True)
class Link:
    """What goes from one login to others and is not stored: a stream of messages, or requests and their answers."""

    subject: str
    by: str
    to: tuple[str, ...]
    kind: Literal["messages", "question", "question with many answers"] = "messages"


LINKS: Final = (
    Link(s.audio_in(), "gateway", ("stt",)),
    Link(s.audio_out(), "tts", ("gateway",)),
    Link(s.audio_replay(), "stt", ("gateway",), "question with many answers"),
    Link(s.audio_heard(), "stt", ("gateway",)),
    Link(s.audio_wanted(), "tts", ("gateway",), "question"),
    Link(s.audio_reached(), "gateway", ("stt",), "question"),
    Link(s.GATEWAYS, "gateway", ("gateway",), "question"),
    Link(s.holder(), "stt", ("stt",), "question"),
    *(Link(s.peers(worker), worker, (worker,)) for worker in ("stt", "llm", "tts")),
    *(Link(s.peer(worker), worker, (worker,), "question") for worker in ("stt", "llm", "tts")),
    Link(s.partial(), "stt", ("gateway",)),
    Link(s.REMOVE_RECORDINGS, OPERATOR, ("gateway",), "question with many answers"),
    *(Link(s.capacity(worker), "scheduler", (worker,), "question with many answers") for worker in s.WORKERS),
)


def _events(service: str) -> tuple[str, ...]:
    return tuple(s.events_of("*", kind) for kind, by in PUBLISHERS.items() if service in by)


def _jobs(service: str) -> tuple[str, ...]:
    return tuple(s.next_job(stream, service) for stream in s.streams())


def _verdicts(service: str) -> tuple[str, ...]:
    return tuple(verdict for stream in s.streams() for verdict in s.verdicts(stream, service))


def _get(*streams: str) -> tuple[str, ...]:
    return tuple(s.stream_api("MSG.GET", stream) for stream in streams)


_CONTEXTS, _TOKENS, _AGENTS, _CLIPS, _LOST_REPORTS = (s.stream_of_bucket(bucket) for bucket in s.BUCKETS)
#: Lists the keys of a bucket.
_AGENT_NAMES, _LOST_NAMES = s.stream_api("INFO", _AGENTS), s.stream_api("INFO", _LOST_REPORTS)
_READ_LOGS = tuple(s.direct_get(stream) for stream in s.streams())
_PURGE_LOGS = tuple(s.stream_api("PURGE", stream) for stream in s.streams())
_FOLLOW_LOGS = (s.log_of(),)

RIGHTS: Final[dict[str, Rights]] = {
    "gateway": Rights(
        writes=(
            *_events("gateway"),
            *(s.keys_of(s.CONTEXTS, "call"), s.keys_of(s.CONTEXTS, "phone")),
            *(s.keys_of(s.TOKENS), s.keys_of(s.AGENTS)),
        ),
        asks=(*_READ_LOGS, *_get(_CONTEXTS, _TOKENS, _AGENTS, _CLIPS), _AGENT_NAMES),
        hears=_FOLLOW_LOGS,
    ),
    "stt": Rights(
        writes=_events("stt"),
        asks=(*_READ_LOGS, *_jobs("stt")),
        says=_verdicts("stt"),
        hears=_FOLLOW_LOGS,
    ),
    "llm": Rights(
        writes=_events("llm"),
        asks=(*_READ_LOGS, *_jobs("llm")),
        says=_verdicts("llm"),
        hears=_FOLLOW_LOGS,
    ),
    "tts": Rights(
        writes=(s.keys_of(s.CLIPS),),
        asks=(*_READ_LOGS, *_jobs("tts"), *_get(_AGENTS, _CLIPS), _AGENT_NAMES),
        says=_verdicts("tts"),
        hears=(*_FOLLOW_LOGS, s.changes_of(s.AGENTS)),
    ),
    "reporter": Rights(
        writes=(*_events("reporter"), s.ARCHIVE_SUBJECTS, s.keys_of(s.LOST_REPORTS)),
        asks=(*_READ_LOGS, *_jobs("reporter"), *_get(s.ARCHIVE_STREAM), *_PURGE_LOGS),
        says=_verdicts("reporter"),
    ),
    "scheduler": Rights(
        writes=(s.keys_of(s.CONTEXTS, "session"),),
        asks=(*_READ_LOGS, *_jobs("scheduler"), *_get(s.ARCHIVE_STREAM, _AGENTS), _AGENT_NAMES),
        says=_verdicts("scheduler"),
    ),
    # Does by hand what the reporter does, looks on, and removes what is kept of a number.
    OPERATOR: Rights(
        writes=(
            *(*_events("reporter"), s.ARCHIVE_SUBJECTS, s.keys_of(s.LOST_REPORTS)),
            *(s.keys_of(s.CONTEXTS, "session"), s.keys_of(s.CONTEXTS, "call")),
        ),
        asks=(
            *(*_READ_LOGS, s.direct_get(s.ARCHIVE_STREAM), s.stream_api("INFO", s.ARCHIVE_STREAM)),
            *(*_get(s.ARCHIVE_STREAM, _LOST_REPORTS), _LOST_NAMES),
            *(*_PURGE_LOGS, s.stream_api("PURGE", s.ARCHIVE_STREAM)),
        ),
        hears=_FOLLOW_LOGS,
    ),
}

_ALL_STREAMS = (*s.streams(), s.ARCHIVE_STREAM, *map(s.stream_of_bucket, s.BUCKETS))

#: Of the login ``SETUP``, which is in the account of the streams itself.
SETUP_ASKS: Final = (
    *(s.stream_api(verb, stream) for stream in _ALL_STREAMS for verb in ("CREATE", "UPDATE")),
    *(s.make_consumer(stream, consumer) for stream in s.streams() for consumer in s.JOB_FILTERS),
)

LOGINS: Final = (*RIGHTS, SETUP)


def may_publish(login: str) -> list[str]:
    if login == SETUP:
        return list(SETUP_ASKS)
    rights = RIGHTS[login]
    asked = [link.subject for link in LINKS if link.by == login]
    return [*rights.writes, *rights.asks, *rights.says, *asked]


def may_subscribe(login: str) -> list[str]:
    heard = RIGHTS[login].hears if login in RIGHTS else ()
    return [f"{s.inbox_of(login)}.>", *heard, *(link.subject for link in LINKS if login in link.to)]


def answers(login: str) -> bool:
    """Whether it is asked questions: it may then publish where the question wants the answer."""
    return any(login in link.to and link.kind != "messages" for link in LINKS)
