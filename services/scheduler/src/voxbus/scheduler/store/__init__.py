"""What the scheduler knows, in a database that may be shared by many schedulers.

Every step of a call is one UPDATE that names the states it may come from, so of two that try it one succeeds.
"""

from voxbus.scheduler.store.book import Book, KeyReused
from voxbus.scheduler.store.queue import Queue
from voxbus.scheduler.store.tracks import Tracks

__all__ = ["Book", "KeyReused", "Queue", "Tracks"]
