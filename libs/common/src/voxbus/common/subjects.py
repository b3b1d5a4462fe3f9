"""Every subject, stream, consumer and bucket name of the system. They are built here and nowhere else.

call.{sid}.audio.in            core      one caller frame
call.{sid}.audio.out           core      agent audio
call.{sid}.audio.replay        request   the caller frames of the current turn, again
call.{sid}.audio.reached       request   the number of the caller frame that STT expects next
call.{sid}.partial             core      interim transcript, never stored
call.{sid}.event.{kind}.{key}  CALLS     what was decided; the subject is the idempotency key
capacity.{worker}              request   how many more jobs a worker could take
recordings.remove              request   the recordings of some calls are to go
log.{sid}.{kind}.{key}         core      the same event, once it is stored, in stream order
archive.{sid}                  ARCHIVE   the log of a call that has ended
$KV.{bucket}.{key}             KV_...    the value of a key
changed.{bucket}.{key}         core      the same value, once it is stored, of the buckets that are watched
"""

from __future__ import annotations

import re

from voxbus.common.errors import InvalidCallSid

_SID = re.compile(r"CA[0-9a-fA-F]{32}")
_KEY = re.compile(r"[-/_=A-Za-z0-9]+(\.[-/_=A-Za-z0-9]+)*")
_MAX_KEY = 256  # the server drops the connection of who sends it a line of more than 4,096
_SESSION = re.compile(r"[A-Za-z0-9_-]{1,64}")

#: Durable pull consumers on a call's stream, by the service that binds to them, with what they deliver.
JOB_FILTERS: dict[str, tuple[str, ...]] = {
    "stt": ("call.*.event.started.>",),
    "llm": ("call.*.event.started.>", "call.*.event.utterance.>"),
    "tts": ("call.*.event.sentence.>", "call.*.event.resumed.>"),
    "reporter": ("call.*.event.ended.>",),
    "scheduler": (
        "call.*.event.started.>",
        "call.*.event.status.>",
        "call.*.event.ended.>",
        "call.*.event.do_not_call_requested.>",
    ),
}

#: Who asks here is answered by every gateway that takes streams.
GATEWAYS = "gateways"

#: Who asks here has recordings removed, by every gateway those that it can see (``voxbus.common.recordings``).
REMOVE_RECORDINGS = "recordings.remove"

#: Consumers whose holders say how many more jobs they could take, to whoever asks (``capacity``).
WORKERS = ("stt", "llm", "tts")

#: What the streams of calls accept, and what they republish once it is stored.
CALL_EVENTS = "call.*.event.>"
REPUBLISH_SOURCE = "call.*.event.>"
REPUBLISH_TARGET = "log.{{wildcard(1)}}.>"

ARCHIVE_STREAM = "ARCHIVE"
ARCHIVE_SUBJECTS = "archive.*"

#: Key-value buckets. Reads go to the stream leader.
CONTEXTS = "contexts"
TOKENS = "tokens"
AGENTS = "agents"
CLIPS = "clips"
LOST_REPORTS = "lost_reports"

#: All questions to JetStream.
JETSTREAM = "$JS.API.>"

BUCKETS = (CONTEXTS, TOKENS, AGENTS, CLIPS, LOST_REPORTS)

#: Buckets that tell their changes.
WATCHED = (AGENTS,)


def check_sid(sid: str) -> str:
    """``sid`` itself, when it is a CallSid. Raises InvalidCallSid, so that ``.``, ``*`` and ``>`` stay out."""
    if _SID.fullmatch(sid) is None:
        raise InvalidCallSid
    return sid


def is_session(session: str) -> bool:
    """Whether ``session`` may be a key of the ``contexts`` bucket."""
    return _SESSION.fullmatch(session) is not None


def is_key(key: str) -> bool:
    """Whether ``key`` may be one of a bucket."""
    return len(key) <= _MAX_KEY and _KEY.fullmatch(key) is not None


def context_of_session(session: str) -> str:
    """The key of a context whose call has no id yet. ``session`` must be one (``is_session``)."""
    return f"session.{session}"


def context_of_call(sid: str) -> str:
    """The key of a call's context. Raises InvalidCallSid."""
    return f"call.{check_sid(sid)}"


def phone_of_call(sid: str) -> str:
    """The key, in the same bucket, of what proves that a browser phone holds the call. Raises InvalidCallSid."""
    return f"phone.{check_sid(sid)}"


def stream_of(sid: str) -> str:
    """The stream that holds the log of a call. One stream today; a sharded log changes this line only."""
    return "CALLS"


def streams() -> tuple[str, ...]:
    return ("CALLS",)


def direct_get(stream: str) -> str:
    """Where a stream is asked for many messages at once, by whoever keeps a copy."""
    return f"$JS.API.DIRECT.GET.{stream}"


def next_job(stream: str, consumer: str) -> str:
    return f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"


def verdicts(stream: str, consumer: str) -> tuple[str, ...]:
    """Where a job's holder says what became of it; newer servers may put a domain and an account in between."""
    return f"$JS.ACK.{stream}.{consumer}.>", f"$JS.ACK.*.*.{stream}.{consumer}.>"


def stream_api(verb: str, stream: str) -> str:
    """``verb``: INFO, CREATE, UPDATE, PURGE, MSG.GET."""
    return f"$JS.API.STREAM.{verb}.{stream}"


def make_consumer(stream: str, consumer: str) -> str:
    return f"$JS.API.CONSUMER.DURABLE.CREATE.{stream}.{consumer}"


def inbox_of(login: str) -> str:
    """What replies to a login begin with."""
    return f"_INBOX.{login}"


def audio_in(sid: str = "*") -> str:
    return f"call.{sid}.audio.in"


def audio_out(sid: str = "*") -> str:
    return f"call.{sid}.audio.out"


def audio_replay(sid: str = "*") -> str:
    return f"call.{sid}.audio.replay"


def audio_heard(sid: str = "*") -> str:
    return f"call.{sid}.audio.heard"


def audio_wanted(sid: str = "*") -> str:
    return f"call.{sid}.audio.wanted"


def audio_reached(sid: str = "*") -> str:
    return f"call.{sid}.audio.reached"


def holder(sid: str = "*") -> str:
    return f"call.{sid}.holder"


def peers(consumer: str) -> str:
    """Where the workers of a consumer tell each other that they are there."""
    return f"workers.{consumer}"


def peer(consumer: str, name: str = "*") -> str:
    """Where one of them is asked what it holds."""
    return f"workers.{consumer}.{name}"


def capacity(worker: str) -> str:
    """Every worker of the kind that has not begun to drain answers with the number of jobs it has room for."""
    return f"capacity.{worker}"


def partial(sid: str = "*") -> str:
    return f"call.{sid}.partial"


def event(sid: str, kind: str, key: str) -> str:
    return f"call.{sid}.event.{kind}.{key}"


def events_of(sid: str, kind: str = "") -> str:
    """The filter for all events of a call, or all of one kind."""
    return f"call.{sid}.event.{kind}.>" if kind else f"call.{sid}.event.>"


def log_of(sid: str = "*", kind: str = "") -> str:
    """Where live readers listen; ``*`` for every call."""
    return f"log.{sid}.{kind}.>" if kind else f"log.{sid}.>"


def archive(sid: str) -> str:
    return f"archive.{sid}"


def archived_call(subject: str) -> str:
    """The CallSid of a subject of the archive."""
    return subject.partition(".")[2]


def stream_of_bucket(bucket: str) -> str:
    return f"KV_{bucket}"


def keys_of(bucket: str, prefix: str = "") -> str:
    """The filter for all keys of a bucket, or for those under a prefix."""
    return f"$KV.{bucket}.{prefix}.>" if prefix else f"$KV.{bucket}.>"


def value_of(bucket: str, key: str) -> str:
    """``key`` must be one (``is_key``)."""
    return f"$KV.{bucket}.{key}"


def changes_of(bucket: str) -> str:
    """Where a watched bucket tells its changes."""
    return f"changed.{bucket}.>"


def key_of(subject: str) -> str:
    """The key in the subject of a value, or of a change."""
    return subject.split(".", 2)[2]


def parse_event(subject: str) -> tuple[str, str, str]:
    """(sid, kind, key) of an event subject or of a log subject. Raises ValueError for any other."""
    parts = subject.split(".")
    if len(parts) >= 5 and parts[0] == "call" and parts[2] == "event":
        return parts[1], parts[3], ".".join(parts[4:])
    if len(parts) >= 4 and parts[0] == "log":
        return parts[1], parts[2], ".".join(parts[3:])
    raise ValueError(f"not the subject of an event: {subject}")


def shape_of(subject: str) -> str:
    """What kind of subject it is, in lower case, as the server's complaints are: for metrics, so no call is in it."""
    parts = ["*" if _SID.fullmatch(part.upper()) else part for part in subject.lower().split(".")]
    match parts[0]:
        case "call":
            kept = 4  # call.*.event.started
        case "log":
            kept = 3
        case "$js":
            kept = 4 if parts[1:2] == ["ack"] else 7  # $js.api.consumer.msg.next.calls.stt
        case "archive":
            return "archive.*"
        case _:
            kept = 2
    return ".".join([*parts[:kept], ">"] if len(parts) > kept else parts)
