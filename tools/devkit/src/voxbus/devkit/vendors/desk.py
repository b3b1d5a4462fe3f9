"""What all simulated vendors share: what they hear, think and say, what goes wrong, and what was wrong with clients."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from voxbus.devkit.vendors.ear import Phrasebook
from voxbus.devkit.vendors.faults import REFUSALS, Fault, Faults
from voxbus.devkit.vendors.mind import Mind

KEY = "simulated-key"


@dataclass
class Desk:
    """``protocol_errors``: what clients did that the protocol does not know, by vendor. ``counts``: connections,
    requests and messages, by ``vendor.what``. ``requests``: the bodies of requests. ``token_delay_s``: between the
    tokens of a model."""

    book: Phrasebook = field(default_factory=Phrasebook)
    mind: Mind = field(default_factory=lambda: Mind(()))
    faults: Faults = field(default_factory=Faults)
    protocol_errors: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    requests: list[dict[str, Any]] = field(default_factory=list)
    token_delay_s: float = 0.0

    def wrong(self, vendor: str, what: str) -> None:
        self.protocol_errors.append(f"{vendor}: {what}")

    def check_query(
        self, vendor: str, request: web.Request, required: set[str], optional: frozenset[str] | set[str]
    ) -> str:
        """What is wrong with the names in the query; empty = nothing. It is counted."""
        given = set(request.query)
        missing, unknown = required - given, given - required - optional
        if missing or unknown:
            what = "; ".join(
                f"{text}: {', '.join(sorted(names))}"
                for text, names in (("query misses", missing), ("unknown in the query", unknown))
                if names
            )
            self.wrong(vendor, what)
            return what
        return ""

    def message(
        self, vendor: str, text: str, shapes: dict[str, set[str]], kind: str = "type"
    ) -> dict[str, Any]:
        """A client's JSON message, of one of ``shapes`` (kind: its fields). Raises WrongMessage, counted."""
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict) or found.get(kind) not in shapes:
            what = f"unknown message {text[:80]}"
        elif unknown := found.keys() - shapes[found[kind]] - {kind}:
            what = f"{found[kind]} has unknown fields {', '.join(sorted(unknown))}"
        else:
            self.counts[f"{vendor}.{found[kind]}"] += 1
            return found
        self.wrong(vendor, what)
        raise WrongMessage(what)


class WrongMessage(Exception):
    """The vendor closes the connection for it."""


def refuses(fault: Fault | None) -> int:
    """The status that the fault answers with; 0 = the request is taken."""
    return REFUSALS.get(fault.kind, 0) if fault is not None else 0
