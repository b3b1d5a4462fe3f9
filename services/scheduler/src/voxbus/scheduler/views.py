"""What the API shows of a call."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from voxbus.scheduler.store.book import Record
from voxbus.scheduler.tables import Call


def call_view(call: Call) -> dict[str, Any]:
    """``sessionId`` is ``id`` under the name that the report uses. Empty fields are null."""
    return {
        "id": call.id,
        "sessionId": call.id,
        "callSid": call.call_sid,
        "state": call.state,
        "to": call.to_number,
        "from": call.from_number,
        "agent": call.agent,
        "variables": call.variables,
        "answeredBy": call.answered_by or None,
        "error": {"code": call.error_code, "message": call.error} if call.error_code else None,
        "createdAt": _iso(call.created_at_s),
        "updatedAt": _iso(call.updated_at_s),
    }


def record_view(record: Record) -> dict[str, Any]:
    """The call, how it came where it is, and its report (null until there is one)."""
    report = record.report
    return call_view(record.call) | {
        "history": [
            {"at": _iso(change.at_s), "state": change.state, "detail": change.detail or None}
            for change in record.changes
        ],
        "report": json.loads(report.body) if report is not None else None,
        "reportReceivedAt": _iso(report.received_at_s) if report is not None else None,
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
