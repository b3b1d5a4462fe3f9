"""The do-not-call list over HTTP. Calls put numbers on it, too: see ``settle``."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voxbus.common import logs
from voxbus.scheduler.core_contacts import Fault, NotAList, read_csv, read_json
from voxbus.scheduler.core_numbers import kept_as, normalize
from voxbus.scheduler.errors import Refused
from voxbus.scheduler.requests import wrong_fields
from voxbus.scheduler.store import Refusal, Refusals
from voxbus.scheduler.store.refusals import Source
from voxbus.scheduler.tables import DoNotCall

log = logs.get_logger(__name__)


class Wish(BaseModel):
    """A number that must not be called."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    to: str = Field(description="The number, with `+` and its country code.")
    evidence: str = Field(default="", max_length=2000, description="How it is known that they want no calls.")

    def refusal(self, source: Source, now_s: float) -> Refusal:
        """Raises ValueError."""
        return Refusal(normalize(self.to), source, self.evidence, now_s)


@dataclass(frozen=True)
class DoNotCallList:
    store: Refusals

    async def add(self, body: bytes) -> DoNotCall:
        """Raises Refused."""
        try:
            refusal = Wish.model_validate_json(body).refusal("api", time.time())
        except ValidationError as error:
            raise Refused(422, "bad_number", wrong_fields(error)) from None
        except ValueError as error:
            raise Refused(422, "bad_number", f"to: {error}") from None
        await self.store.add([refusal])
        log.info("onto the do-not-call list by hand")
        found = await self.store.get(refusal.number)
        if found is None:
            raise Refused(409, "removed", "somebody removed it in this moment")
        return found

    async def take(self, body: bytes, *, is_csv: bool) -> tuple[int, list[Fault]]:
        """A whole list: how many numbers are new, and the lines that are none. Raises Refused."""
        try:
            # In a thread: fifty thousand numbers take more than a second, in which jobs would lapse.
            good, bad = await asyncio.to_thread(_read, body, time.time(), is_csv=is_csv)
        except NotAList as error:
            raise Refused(422, "not_a_list", str(error)) from None
        new = await self.store.add(good)
        log.info("onto the do-not-call list by import", added=new, refused=len(bad))
        return new, bad

    async def get(self, number: str) -> tuple[str, DoNotCall | None]:
        """The number as we write it, and its entry. Raises Refused."""
        number = _number(number)
        return number, await self.store.get(number)

    async def remove(self, number: str) -> None:
        """Raises Refused."""
        if not await self.store.remove(_number(number)):
            raise Refused(404, "not_listed", "the number is not on the do-not-call list")
        log.warning("off the do-not-call list by hand")


def _read(body: bytes, now_s: float, *, is_csv: bool) -> tuple[list[Refusal], list[Fault]]:
    """Raises NotAList."""
    good: list[Refusal] = []
    bad: list[Fault] = []
    for line, row in (read_csv if is_csv else read_json)(body):
        try:
            good.append(_wish(row).refusal("import", now_s))
        except ValueError as error:
            words = wrong_fields(error) if isinstance(error, ValidationError) else f"to: {error}"
            bad.append(Fault(line, words))
    return good, bad


def _wish(row: object) -> Wish:
    """JSON may list bare numbers; columns that are not ours are left out."""
    if isinstance(row, str):
        return Wish(to=row)
    if row is None:
        raise ValueError("it has not as many columns as the first line")
    if isinstance(row, dict) and isinstance(row.get("variables"), dict):
        row = row | {"evidence": row["variables"].get("evidence", "")}
    return Wish.model_validate(row)


def _number(text: str) -> str:
    try:
        # A `+` that was not escaped comes as a space.
        return kept_as("+" + text.strip().removeprefix("+"))
    except ValueError as error:
        raise Refused(422, "bad_number", str(error)) from None
