"""What the scheduler knows, in a database that may be shared by many schedulers.

Every step of a call is one UPDATE that names the states it may come from, so of two that try it one succeeds.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from voxbus.scheduler.core_rules import House
from voxbus.scheduler.store.book import Book, KeyReused
from voxbus.scheduler.store.breaker import Paused
from voxbus.scheduler.store.campaigns import Campaigns
from voxbus.scheduler.store.contacts import Contacts
from voxbus.scheduler.store.dispatch import Dispatch, Limits, Wait
from voxbus.scheduler.store.erasure import Erasure
from voxbus.scheduler.store.queue import Queue
from voxbus.scheduler.store.refusals import Refusal, Refusals
from voxbus.scheduler.store.tracks import Tracks

__all__ = [
    "Book",
    "Campaigns",
    "Contacts",
    "Dispatch",
    "KeyReused",
    "Limits",
    "Paused",
    "Queue",
    "Refusal",
    "Refusals",
    "Stores",
    "Tracks",
    "Wait",
]


@dataclass(frozen=True)
class Stores:
    """All that is kept, by what it is about."""

    book: Book
    campaigns: Campaigns
    contacts: Contacts
    dispatch: Dispatch
    queue: Queue
    refusals: Refusals
    erasure: Erasure
    tracks: Tracks

    @classmethod
    def of(cls, engine: AsyncEngine, account: str, house: House, limits: Limits) -> Stores:
        return cls(
            Book(engine),
            Campaigns(engine),
            Contacts(engine, house),
            Dispatch(engine, account, house, limits),
            Queue(engine, account),
            Refusals(engine),
            Erasure(engine),
            Tracks(engine),
        )
