"""What the API shows, as its OpenAPI document has it. Empty fields are null."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from voxbus.scheduler.core_rules import Campaign as Rules
from voxbus.scheduler.store.book import Record
from voxbus.scheduler.store.campaigns import Progress
from voxbus.scheduler.tables import Call, Campaign, DoNotCall


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _View(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


class RefusalView(_View):
    """Every refusal: a stable code, and one line for people."""

    error: str
    message: str


class ErrorView(_View):
    code: str
    message: str


class CallView(_View):
    """``sessionId`` is ``id`` under the name that the report uses."""

    id: str
    session_id: str
    call_sid: str | None
    state: str
    to: str
    from_: str
    agent: str
    variables: dict[str, Any]
    answered_by: str | None
    error: ErrorView | None
    campaign: str | None
    created_at: str
    updated_at: str

    model_config = ConfigDict(
        alias_generator=lambda name: "from" if name == "from_" else to_camel(name), populate_by_name=True
    )


class StepView(_View):
    at: str
    state: str
    detail: str | None


class RecordView(CallView):
    """The call, how it came where it is, and its report (null until there is one)."""

    history: list[StepView]
    report: dict[str, Any] | None
    report_received_at: str | None


class CallsView(_View):
    calls: list[CallView]
    next_cursor: int | None


class ProgressView(_View):
    """``finished``: every contact has its result. ``results``: how many, by result."""

    contacts: int
    waiting: int
    calling: int
    done: int
    results: dict[str, int]
    finished: bool


class CampaignView(_View):
    """``state``: running, paused, canceled. ``reason``: why it was paused, where nobody asked for it."""

    id: str
    state: str
    reason: str | None
    name: str
    rules: Rules
    progress: ProgressView | None = None
    created_at: str
    updated_at: str


class CampaignsView(_View):
    campaigns: list[CampaignView]


class FaultView(_View):
    line: int
    reason: str


class UploadView(_View):
    accepted: int
    refused: list[FaultView]


class ListedView(_View):
    """``source``: api, import, call. ``evidence``: what was said in the call, or written by who added it."""

    number: str
    listed: bool = True
    source: str | None = None
    evidence: str | None = None
    call_sid: str | None = None
    at: str | None = None


class ListView(_View):
    numbers: list[ListedView]
    next_cursor: str | None


class ImportView(_View):
    """``added``: how many were not on the list before."""

    added: int
    refused: list[FaultView]


def _call(call: Call) -> dict[str, Any]:
    error = ErrorView(code=call.error_code, message=call.error) if call.error_code else None
    return {
        "id": call.id,
        "session_id": call.id,
        "call_sid": call.call_sid,
        "state": call.state,
        "to": call.to_number,
        "from_": call.from_number,
        "agent": call.agent,
        "variables": call.variables,
        "answered_by": call.answered_by or None,
        "error": error,
        "campaign": call.campaign,
        "created_at": iso(call.created_at_s),
        "updated_at": iso(call.updated_at_s),
    }


def call_view(call: Call) -> CallView:
    return CallView(**_call(call))


def record_view(record: Record) -> RecordView:
    report = record.report
    history = [
        StepView(at=iso(change.at_s), state=change.state, detail=change.detail or None)
        for change in record.changes
    ]
    return RecordView(
        **_call(record.call),
        history=history,
        report=json.loads(report.body) if report is not None else None,
        report_received_at=iso(report.received_at_s) if report is not None else None,
    )


def campaign_view(campaign: Campaign, progress: Progress | None = None) -> CampaignView:
    return CampaignView(
        id=campaign.id,
        state=campaign.state,
        reason=campaign.reason or None,
        name=campaign.rules["name"],
        rules=Rules.model_validate(campaign.rules),
        progress=_progress(progress) if progress is not None else None,
        created_at=iso(campaign.created_at_s),
        updated_at=iso(campaign.updated_at_s),
    )


def _progress(progress: Progress) -> ProgressView:
    open_ = progress.waiting + progress.calling
    return ProgressView(
        contacts=progress.contacts,
        waiting=progress.waiting,
        calling=progress.calling,
        done=sum(progress.results.values()),
        results=progress.results,
        finished=progress.contacts > 0 and open_ == 0,
    )


def listed_view(row: DoNotCall) -> ListedView:
    return ListedView(
        number=row.number,
        source=row.source,
        evidence=row.evidence or None,
        call_sid=row.call_sid,
        at=iso(row.at_s),
    )
