"""Errors of the shared parts.

Each error carries a stable ``code`` (for counters and for users to search) and ``retry``: whether the same
call may succeed when it is made again.

    VoxbusError
     +-- InvalidCallSid         a call id that must not become part of a subject
     +-- CodecError             bytes that are no event, or no audio message, of ours
     |    +-- UnknownEvent      a kind or version that this build does not know
     +-- AgentError             an agent definition that cannot be used
     +-- SettingsError          the environment is missing or wrong
     +-- BusError               the bus refused or did not answer
     |    +-- Conflict          the subject is taken: somebody else wrote this event first
     |    +-- ConditionFailed   what had to hold at publish time does not hold (any more)
     |    +-- LogIncomplete     a follower answered that has not seen our message yet
     |    +-- BusUnavailable    no answer in time, no stream, or no connection
     |    |    +-- LogFull      the stream stores nothing: it is full, or its disk
     |    |    +-- BusClosed    our connection was closed, by us or for good: nothing goes over it any more
     |    +-- LoginRefused      the server does not know us
     |    +-- SubjectRefused    the server knows us, and we have no right to what we tried
     +-- ProviderError          an stt, llm or tts provider failed
"""

from __future__ import annotations


class VoxbusError(Exception):
    code = "internal"
    retry = False


class InvalidCallSid(VoxbusError):
    code = "invalid_call_sid"

    def __init__(self) -> None:
        # The offending text is not repeated: it is untrusted and may be anything.
        super().__init__("not a CallSid: expected CA followed by 32 hexadecimal digits")


class CodecError(VoxbusError):
    code = "codec"


class UnknownEvent(CodecError):
    code = "unknown_event"
    retry = True  # a newer worker may know it


class AgentError(VoxbusError):
    code = "agent"


class SettingsError(VoxbusError):
    code = "settings"


class BusError(VoxbusError):
    code = "bus"


class Conflict(BusError):
    code = "conflict"

    def __init__(self, subject: str) -> None:
        super().__init__(f"{subject} is already in the log")
        self.subject = subject


class ConditionFailed(BusError):
    code = "condition_failed"


class LogIncomplete(BusError):
    code = "log_incomplete"
    retry = True


class BusUnavailable(BusError):
    code = "bus_unavailable"
    retry = True


class BusClosed(BusUnavailable):
    code = "bus_closed"
    retry = False


class LogFull(BusUnavailable):
    """Until somebody makes room. Waiting alone helps only where logs of ended calls are about to go."""

    code = "log_full"


class LoginRefused(BusError):
    code = "login_refused"

    def __init__(self, where: str) -> None:
        super().__init__(
            f"NATS at {where} refuses this login; are NATS_NKEY_FILE, or NATS_USER and NATS_PASSWORD, those of this "
            "service?"
        )


class SubjectRefused(BusError):
    """``verb``: publish or subscription. ``shape``: the subject without what belongs to one call."""

    code = "subject_refused"

    def __init__(self, verb: str, shape: str) -> None:
        super().__init__(f"{verb} {shape}")
        self.verb = verb
        self.shape = shape


class ProviderError(VoxbusError):
    """A provider's failure, told apart by what a policy must know.

    ``cause`` is short, stable and free of user data: it goes into events and metric labels.
    """

    code = "provider"

    def __init__(self, cause: str, message: str = "", *, retry: bool = True) -> None:
        super().__init__(message or cause)
        self.cause = cause
        self.retry = retry
