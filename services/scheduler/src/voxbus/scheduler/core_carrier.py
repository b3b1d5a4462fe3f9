"""What the carrier's answers mean. Pure.

The one question is whether a call may have been made. There is no idempotency key in the carrier's API, so whatever
might have made one is never sent again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Placed:
    """The carrier took it. Whether a telephone rings, the callbacks tell."""

    call_sid: str


@dataclass(frozen=True)
class Refused:
    """It made no call, and would make none the next time. ``code`` is the carrier's, ``words`` are for people."""

    code: str
    words: str


@dataclass(frozen=True)
class TooMany:
    """It made no call because we ask too often (HTTP 429)."""


@dataclass(frozen=True)
class NotSent:
    """The request never left: nobody listens there. ``why`` is the kind of failure."""

    why: str


@dataclass(frozen=True)
class Unclear:
    """It may have made the call. ``why``: no answer, or one that says nothing."""

    why: str


Answer = Placed | Refused | TooMany | NotSent | Unclear

#: How long the queue rests after the first, second and third 429 for the same call. A fourth ends that call.
BACKOFF_S: Final = (1.0, 2.0, 4.0)
_JITTER: Final = 0.25

TOO_MANY: Final = Refused(
    "20429", "The carrier refused four times because too many requests were made. Try later."
)
EXPIRED: Final = Refused("expired", "It waited in our queue for too long, so it was not dialled any more.")
DO_NOT_CALL: Final = Refused("do_not_call", "The number is on the do-not-call list.")
CLOSED: Final = Refused("window_closed", "The time in which it may ring was over, so it was not dialled.")
STOPPED: Final = Refused("campaign_stopped", "Its campaign was paused or canceled, so it was not dialled.")

#: Codes of ours for calls that nobody could hold: their agent is gone, or changed so that it cannot.
NO_AGENT: Final = frozenset({"unknown_agent", "agent"})
#: Codes of ours for calls of a campaign that rang nowhere, and may be tried at another time.
NOT_DIALLED: Final = NO_AGENT | {EXPIRED.code, CLOSED.code, STOPPED.code}
#: Codes of the carrier by which it will never connect this number.
WRONG_NUMBER: Final = frozenset({"21201", "21211", "21214", "21215", "21217", "21219"})

#: https://www.twilio.com/docs/api/errors. Texts of ours: the carrier's repeat the number.
_WORDS: Final = {
    "10004": "The account has as many calls going on as it may have. Try later, or ask the carrier for more.",
    "20003": "The carrier does not accept our credentials. Check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.",
    "20404": "The carrier does not know the account. Check TWILIO_ACCOUNT_SID.",
    "21201": "There was no number to call.",
    "21205": "The carrier cannot use our webhook address. Check PUBLIC_URL.",
    "21210": "The number we call from is neither owned nor verified. Check TWILIO_FROM_NUMBER.",
    "21211": "The number to call is not a valid telephone number.",
    "21212": "The number we call from is not a valid telephone number. Check TWILIO_FROM_NUMBER.",
    "21214": "The number to call cannot be reached.",
    "21215": "The account may not call this country. Allow it under the carrier's geographic permissions.",
    "21217": "The number to call does not look like a telephone number.",
    "21219": "A trial account may only call numbers that it has verified.",
    "22005": "The carrier's queue for this account is full. Try tomorrow, or ask for more calls per second.",
}


def judge(http_status: int, code: int | None = None, message: str = "") -> Answer:
    """An answer that is no 2xx. ``code``: the carrier's own, where the body had one."""
    if http_status == 429 or code == 20429:
        return TooMany()
    if http_status >= 500 or http_status == 408:
        # From the carrier or from a proxy before it: what happened behind it is not known.
        return Unclear(f"HTTP {http_status}")
    known = str(code or http_status)
    return Refused(known, _WORDS.get(known) or message or f"The carrier refused with HTTP {http_status}.")


def backoff_s(tries: int, chance: float) -> float | None:
    """How long the queue rests after 429 number ``tries`` (1 = the first) for a call; None: give the call up.

    ``chance`` in [0, 1) spreads replicas.
    """
    return BACKOFF_S[tries - 1] * (1 + _JITTER * chance) if tries <= len(BACKOFF_S) else None


def rest_s(tries: int, chance: float) -> float:
    """The same for a carrier that cannot be reached at all: it is waited for as long as the call may be queued."""
    return BACKOFF_S[min(tries, len(BACKOFF_S)) - 1] * (1 + _JITTER * chance)


@dataclass(frozen=True)
class Listed:
    """A call in the carrier's own records. ``created_s``: Unix time, to the second."""

    call_sid: str
    status: str
    created_s: float


#: How far the carrier's clock may be from ours.
_SKEW_S: Final = 30.0


def match(listed: list[Listed], taken: frozenset[str], dialled_s: float, rivals: int) -> Listed | None:
    """The call that an unanswered request has made, if there is no doubt about it.

    ``listed``: calls from our number to that number. ``taken``: those that are known to be others. ``rivals``: how
    many other requests to the same number have no answer either; with any of them nobody can tell which is which.
    """
    new = [call for call in listed if call.call_sid not in taken and call.created_s >= dialled_s - _SKEW_S]
    return new[0] if len(new) == 1 and rivals == 0 else None
