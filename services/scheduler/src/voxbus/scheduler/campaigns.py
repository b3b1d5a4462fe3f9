"""Campaigns over HTTP: what may be asked for, lists that come in, results that go out."""

from __future__ import annotations

import asyncio
import csv
import io
import secrets
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from voxbus.common import logs
from voxbus.common.agents import Agent
from voxbus.scheduler.agents import Agents
from voxbus.scheduler.core_contacts import Contact, Fault, NotAList, Upload, check, read_csv, read_json
from voxbus.scheduler.core_orders import missing
from voxbus.scheduler.core_plan import first_s
from voxbus.scheduler.core_rules import Campaign as Rules
from voxbus.scheduler.core_rules import House
from voxbus.scheduler.dialler import Dialler
from voxbus.scheduler.errors import Refused
from voxbus.scheduler.requests import check_key, wrong_fields
from voxbus.scheduler.settings import SchedulerSettings
from voxbus.scheduler.store import KeyReused, Stores
from voxbus.scheduler.store.campaigns import Line, Progress, Standing
from voxbus.scheduler.tables import Campaign
from voxbus.scheduler.views import iso

_COLUMNS: Final = (
    "to", "state", "result", "attempts", "answered_by", "call_sid", "error", "next_at", "updated_at",
)  # fmt: skip

log = logs.get_logger(__name__)


@dataclass(frozen=True)
class Campaigns:
    settings: SchedulerSettings
    agents: Agents
    stores: Stores
    dialler: Dialler | None

    async def create(self, body: bytes, key: str | None) -> tuple[Campaign, bool]:
        """The campaign, and whether it is a new one. Raises Refused, and BusUnavailable."""
        if self.dialler is None:
            missing_variables = self.settings.missing_for_calls()
            raise Refused(503, "not_configured", f"no call can be placed: set {missing_variables}")
        check_key(key)
        try:
            rules = Rules.model_validate_json(body)
        except ValidationError as error:
            raise Refused(422, "bad_campaign", wrong_fields(error)) from None
        await self.agents.get(rules.agent)
        if first_s(("UTC",), rules, self.settings.house, time.time()) is None:
            quiet = self.settings.quiet_hours
            raise Refused(422, "bad_campaign", f"window: it is empty, or lies in the quiet hours, {quiet}")
        rules = rules.model_copy(
            update={"from_number": rules.from_number or self.settings.twilio_from_number}
        )
        try:
            campaign, new = await self.stores.campaigns.create(
                secrets.token_urlsafe(12), key, rules, time.time()
            )
        except KeyReused:
            raise Refused(409, "key_reused", "this Idempotency-Key belongs to another campaign") from None
        if new:
            log.info("campaign created", campaign=campaign.id, agent=rules.agent)
        return campaign, new

    async def get(self, campaign_id: str) -> tuple[Campaign, Progress]:
        """Raises Refused."""
        campaign = await self.stores.campaigns.get(campaign_id)
        if campaign is None:
            raise Refused(404, "unknown_campaign", "no campaign has this id")
        return campaign, await self.stores.campaigns.progress(campaign_id)

    async def enter(self, campaign_id: str, new: Standing) -> tuple[Campaign, Progress]:
        """Raises Refused. What is so already stays so."""
        campaign, _ = await self.get(campaign_id)
        if campaign.state != new and not await self.stores.campaigns.enter(campaign_id, new, time.time()):
            raise Refused(409, "campaign_is_over", "a canceled campaign stays canceled")
        log.info("campaign", campaign=campaign_id, state=new)
        if self.dialler is not None:
            self.dialler.notify()
        return await self.get(campaign_id)

    async def upload(self, campaign_id: str, body: bytes, *, is_csv: bool) -> Upload:
        """Good rows are kept, whatever is wrong with others. Raises Refused, and BusUnavailable."""
        campaign, _ = await self.get(campaign_id)
        if campaign.state == "canceled":
            raise Refused(409, "campaign_is_over", "a canceled campaign takes no contacts")
        rules = Rules.model_validate(campaign.rules)
        agent = await self.agents.get(rules.agent)
        now_s = time.time()

        def read() -> tuple[list[Contact], list[Fault]]:
            rows = (read_csv if is_csv else read_json)(body)
            return check(rows, _Objection(self.settings.house, rules, agent, now_s), now_s)

        try:
            # In a thread: ten thousand contacts take a second, in which jobs would lapse.
            good, bad = await asyncio.to_thread(read)
        except NotAList as error:
            raise Refused(422, "not_a_list", str(error)) from None
        house = self.settings.house
        listed = [(contact, first_s(contact.zones, rules, house, now_s) or now_s) for contact in good]
        new = set(await self.stores.campaigns.add(campaign_id, listed, now_s))
        bad += [
            Fault(contact.line, "to: the number is in this campaign already")
            for contact in good
            if contact.line not in new
        ]
        log.info("contacts", campaign=campaign_id, accepted=len(new), refused=len(bad))
        if self.dialler is not None:
            self.dialler.notify()
        return Upload(len(new), sorted(bad, key=lambda fault: fault.line))

    async def results(self, campaign_id: str) -> AsyncIterator[str]:
        """Lines of CSV, a page at a time. The campaign must exist."""
        yield _csv([_COLUMNS])
        after = 0
        while lines := await self.stores.campaigns.lines(campaign_id, after):
            yield _csv(_cells(line) for line in lines)
            after = lines[-1].contact.id


class _Objection:
    """Why a contact cannot be in the campaign, asked of each of many; empty = it can."""

    def __init__(self, house: House, rules: Rules, agent: Agent, now_s: float) -> None:
        self._house, self._rules, self._agent, self._now_s = house, rules, agent, now_s
        self._missing: dict[frozenset[str], str] = {}

    def __call__(self, contact: Contact) -> str:
        if first_s(contact.zones, self._rules, self._house, self._now_s) is None:
            return "timezone: the window is never open in all zones where this number may be; give the contact's own"
        words = self._words(contact)
        return f"variables: {words}" if words else ""

    def _words(self, contact: Contact) -> str:
        # What is missing depends on the names alone, which are the same in the whole list.
        names = frozenset(contact.variables)
        if names not in self._missing:
            self._missing[names] = missing(self._agent, {**self._rules.variables, **contact.variables})
        return self._missing[names]


def _cells(line: Line) -> tuple[object, ...]:
    contact, call = line.contact, line.call
    waits = contact.state == "waiting"
    return (
        contact.to_number,
        contact.state,
        contact.result,
        contact.attempts,
        call.answered_by if call else "",
        (call.call_sid or "") if call else "",
        call.error_code if call else "",
        iso(contact.next_at_s) if waits else "",
        iso(contact.updated_at_s),
    )


def _csv(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
