"""The routes of campaigns, and of those who want no calls."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import RootModel

from voxbus.scheduler.campaigns import Campaigns
from voxbus.scheduler.core_contacts import Fault, Row
from voxbus.scheduler.core_rules import Campaign as Rules
from voxbus.scheduler.refusals import DoNotCallList, Wish
from voxbus.scheduler.requests import (
    MAX_LIST_BYTES,
    MAX_ORDER_BYTES,
    body_of,
    is_csv,
    json_body,
    list_body,
)
from voxbus.scheduler.views import (
    CampaignsView,
    CampaignView,
    FaultView,
    ImportView,
    ListedView,
    ListView,
    UploadView,
    campaign_view,
    listed_view,
)


class ContactList(RootModel[list[Row]]):
    pass


class NumberList(RootModel[list[Wish]]):
    pass


def campaigns(campaigns: Campaigns) -> APIRouter:
    router = APIRouter(prefix="/v1/campaigns", tags=["campaigns"])

    @router.post("", status_code=201, openapi_extra=json_body(Rules))
    async def create_campaign(request: Request) -> CampaignView:
        """Begins a campaign; it dials as soon as it has contacts. `Idempotency-Key` as for calls."""
        body = await body_of(request, MAX_ORDER_BYTES)
        campaign, new = await campaigns.create(body, request.headers.get("idempotency-key"))
        return JSONResponse(  # type: ignore[return-value]  # the return type is the document's
            campaign_view(campaign).model_dump(by_alias=True),
            status_code=201 if new else 200,
            headers={"location": f"/v1/campaigns/{campaign.id}"},
        )

    @router.get("")
    async def list_campaigns(limit: Annotated[int, Query(ge=1, le=200)] = 50) -> CampaignsView:
        """The newest first, without their progress."""
        found = await campaigns.stores.campaigns.all(limit)
        return CampaignsView(campaigns=[campaign_view(campaign) for campaign in found])

    @router.get("/{campaign_id}")
    async def get_campaign(campaign_id: str) -> CampaignView:
        """The campaign, and how far it is."""
        return campaign_view(*await campaigns.get(campaign_id))

    @router.post("/{campaign_id}/contacts", openapi_extra=list_body(ContactList))
    async def upload_contacts(campaign_id: str, request: Request) -> UploadView:
        """Adds contacts. CSV: the columns `to`, `consent_source`, `consent_at`, `timezone`; others are variables."""
        body = await body_of(request, MAX_LIST_BYTES)
        upload = await campaigns.upload(campaign_id, body, is_csv=is_csv(request))
        return UploadView(accepted=upload.accepted, refused=_faults(upload.refused))

    @router.post("/{campaign_id}/pause")
    async def pause(campaign_id: str) -> CampaignView:
        """Nobody else is called until it is resumed; calls that go on are left alone."""
        return campaign_view(*await campaigns.enter(campaign_id, "paused"))

    @router.post("/{campaign_id}/resume")
    async def resume(campaign_id: str) -> CampaignView:
        """Goes on. What failed before is no reason for the breaker any more."""
        return campaign_view(*await campaigns.enter(campaign_id, "running"))

    @router.post("/{campaign_id}/cancel")
    async def cancel(campaign_id: str) -> CampaignView:
        """For good: whoever was not called yet will not be."""
        return campaign_view(*await campaigns.enter(campaign_id, "canceled"))

    @router.get("/{campaign_id}/results.csv", response_class=StreamingResponse)
    async def results(campaign_id: str) -> StreamingResponse:
        """A line for each contact."""
        await campaigns.get(campaign_id)
        return StreamingResponse(campaigns.results(campaign_id), media_type="text/csv; charset=utf-8")

    return router


def do_not_call(numbers: DoNotCallList) -> APIRouter:
    router = APIRouter(prefix="/v1/do-not-call", tags=["do not call"])

    @router.post("", status_code=201, openapi_extra=json_body(Wish))
    async def add_number(request: Request) -> ListedView:
        """Puts a number on the list. One that is there stays as it was first written."""
        return listed_view(await numbers.add(await body_of(request, MAX_ORDER_BYTES)))

    @router.post("/import", openapi_extra=list_body(NumberList))
    async def import_numbers(request: Request) -> ImportView:
        """Adds a list of numbers. CSV: the columns `to` and `evidence`."""
        body = await body_of(request, MAX_LIST_BYTES)
        added, refused = await numbers.take(body, is_csv=is_csv(request))
        return ImportView(added=added, refused=_faults(refused))

    @router.get("")
    async def list_numbers(cursor: str = "", limit: Annotated[int, Query(ge=1, le=1000)] = 200) -> ListView:
        """In the order of the numbers; `nextCursor` is for the next page."""
        rows = await numbers.store.page(cursor, limit)
        more = rows[-1].number if len(rows) == limit else None
        return ListView(numbers=[listed_view(row) for row in rows], next_cursor=more)

    @router.get("/{number}")
    async def check_number(number: str) -> ListedView:
        """Whether the number is on the list, and why."""
        written, row = await numbers.get(number)
        return listed_view(row) if row is not None else ListedView(number=written, listed=False)

    @router.delete("/{number}", status_code=204)
    async def remove_number(number: str) -> None:
        """Takes a number off the list: somebody has consented again, or it was a mistake."""
        await numbers.remove(number)

    return router


def _faults(faults: list[Fault]) -> list[FaultView]:
    return [FaultView(**asdict(fault)) for fault in faults]
