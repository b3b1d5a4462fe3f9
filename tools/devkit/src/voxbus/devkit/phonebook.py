"""Who can be rung up on a machine without telephones: ``voxbus up --carrier``, ``voxbus carrier``."""

from __future__ import annotations

from dataclasses import dataclass

from voxbus.devkit.callees import machine, person, screener
from voxbus.devkit.caller import Caller
from voxbus.devkit.carrier import Telephone
from voxbus.devkit.speech import speak

_WORDS = ("yes", "goodbye")
_RING_S = 2.0
_HANGUP_S = 15.0


@dataclass(frozen=True)
class Listed:
    """``who``: for people to read."""

    number: str
    who: str
    telephone: Telephone


async def agree(caller: Caller) -> None:
    """What fits most agents: hears what it is about, says yes, hears the answer, says goodbye."""
    for word in _WORDS:
        await caller.listen()
        await caller.say(speak(word))
    await caller.expect_hangup(timeout_s=_HANGUP_S)


def rehearse() -> None:
    """Synthesizes what is said most, so that no call has to wait for it."""
    for words in ("Hello?", *_WORDS):
        speak(words)


PHONEBOOK = (
    Listed(
        "+15550100142",
        "a person: hello, yes, goodbye",
        Telephone(ring_s=_RING_S, party=lambda: person(agree)),
    ),
    Listed("+15550100143", "busy", Telephone("busy", ring_s=_RING_S)),
    Listed("+15550100144", "nobody lifts", Telephone("no-answer", ring_s=4 * _RING_S)),
    Listed(
        "+15550100145",
        "an answering machine",
        Telephone(
            ring_s=_RING_S,
            party=lambda: machine("You have reached five five five. Please leave a message after the tone."),
        ),
    ),
    Listed(
        "+15550100146",
        "a call screener, then a person",
        Telephone(
            ring_s=_RING_S,
            party=lambda: screener("Please say who is calling, and why.", agree),
        ),
    ),
)


def telephones() -> tuple[dict[str, Telephone], Telephone]:
    """By number, and that of all other numbers."""
    return {listed.number: listed.telephone for listed in PHONEBOOK}, PHONEBOOK[0].telephone
