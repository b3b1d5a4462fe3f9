"""Thirty people in four time zones, who they are on the telephone, and what must come of calling each."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from voxbus.devkit.callees import machine, person, screener
from voxbus.devkit.caller import Caller
from voxbus.devkit.carrier import Telephone
from voxbus.devkit.carrier.handset import Party
from voxbus.devkit.carrier.plan import Fate
from voxbus.devkit.phonebook import agree, rehearse
from voxbus.devkit.speech import speak

#: Area codes of towns; of each, the hundred numbers 555-01xx are kept free for fiction.
TOWNS = {
    "212": ("New York", "America/New_York"),
    "312": ("Chicago", "America/Chicago"),
    "303": ("Denver", "America/Denver"),
    "213": ("Los Angeles", "America/Los_Angeles"),
}
#: The town that is still asleep when the campaign begins.
LATEST = "America/Los_Angeles"

NEVER_AGAIN = "please do not call me again"
_RING_S = 1.0
_HANGUP_S = 20.0


@dataclass(frozen=True)
class Kind:
    """``result``: what must come of it, after ``calls`` calls."""

    who: str
    result: str
    calls: int
    fate: Fate = "answers"
    party: Callable[[], Party] | None = None


async def _refuse(caller: Caller) -> None:
    await caller.listen()
    await caller.say(speak(NEVER_AGAIN))
    await caller.listen()
    await caller.expect_hangup(timeout_s=_HANGUP_S)


_PERSON = Kind("a person", "completed", 1, party=lambda: person(agree))
_BUSY = Kind("busy", "busy", 2, "busy")
_NOBODY = Kind("nobody lifts", "no_answer", 2, "no-answer")
_MACHINE = Kind(
    "a machine", "voicemail", 1, party=lambda: machine("You have reached us. Please leave a message.")
)
_SCREENER = Kind(
    "a call screener",
    "completed",
    1,
    party=lambda: screener("Please say who is calling, and why.", agree),
)
OPT_OUT = Kind("wants no calls", "completed", 1, party=lambda: person(_refuse))
LISTED = Kind("on the list", "do_not_call", 0)

_CAST = ((_PERSON, 11), (_BUSY, 4), (_NOBODY, 4), (_MACHINE, 4), (_SCREENER, 3), (OPT_OUT, 3), (LISTED, 1))


@dataclass(frozen=True)
class Contact:
    number: str
    town: str
    kind: Kind

    @property
    def telephone(self) -> Telephone:
        if self.kind.party is None:
            return Telephone(self.kind.fate, ring_s=_RING_S)
        return Telephone(self.kind.fate, ring_s=_RING_S, party=self.kind.party)


def cast(seed: int) -> list[Contact]:
    """Always the same people; ``seed`` says who lives where, and who stands where in the list."""
    chance = random.Random(seed)
    kinds = [kind for kind, count in _CAST for _ in range(count)]
    chance.shuffle(kinds)
    places: Iterator[tuple[str, tuple[str, str]]] = itertools.cycle(TOWNS.items())
    return [
        Contact(f"+1{code}55501{number:02d}", town, kind)
        for number, (kind, (code, (town, _))) in enumerate(zip(kinds, places, strict=False), 1)
    ]


def learn_lines() -> None:
    """Synthesizes what is said, so that no call has to wait for it."""
    rehearse()
    speak(NEVER_AGAIN)


def window(now: datetime) -> dict[str, str]:
    """Open at this moment wherever it is later than in Los Angeles, and there from the next full minute on."""
    there = now.astimezone(ZoneInfo(LATEST)).replace(second=0, microsecond=0)
    return {"start": f"{there + timedelta(minutes=1):%H:%M}", "end": f"{there:%H:%M}"}


def as_csv(contacts: list[Contact]) -> str:
    """As it is uploaded, with two rows that must be refused."""
    agreed = datetime(2026, 1, 2, 9, 30, tzinfo=UTC).isoformat()
    rows = [f"{contact.number},web form,{agreed}" for contact in contacts]
    rows += ["+12125550199,,", f"+1212555,web form,{agreed}"]
    return "\n".join(["to,consent_source,consent_at", *rows, ""])
