"""JetStream's names for a publish that holds only while the last message of its subject is the one that is known.

https://docs.nats.io/nats-concepts/jetstream/headers; the codes are those of the server's errors.json.
"""

from __future__ import annotations

from typing import Final

EXPECTED: Final = "Nats-Expected-Last-Subject-Sequence"
#: Another subject than the one that is published to.
EXPECTED_SUBJECT: Final = "Nats-Expected-Last-Subject-Sequence-Subject"
WRONG_LAST_SEQUENCE: Final = (10071, 10164)
