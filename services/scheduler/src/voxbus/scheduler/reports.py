"""A report comes in: believed only when it is signed, kept once."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pydantic import ValidationError

from voxbus.common import logs, signing
from voxbus.common.report import CallReport
from voxbus.scheduler.errors import Refused
from voxbus.scheduler.requests import wrong_fields
from voxbus.scheduler.settings import SchedulerSettings
from voxbus.scheduler.store import Book

log = logs.get_logger(__name__)


@dataclass(frozen=True)
class Reports:
    settings: SchedulerSettings
    book: Book

    def check_open(self) -> None:
        if not self.settings.report_secrets:
            raise Refused(503, "not_configured", "AGENT_SHARED_SECRET is not set, so no report is taken")

    async def take(self, body: bytes, timestamp: str | None, signature: str | None) -> bool:
        """False when this call's report was here before. Raises Refused."""
        self.check_open()
        now_s = time.time()
        try:
            signing.verify(self.settings.report_secrets, timestamp, signature, body, now_s)
        except signing.SignatureError as error:
            raise Refused(401, error.code, str(error)) from None
        try:
            report = CallReport.model_validate_json(body)
        except ValidationError as error:
            raise Refused(422, "bad_report", wrong_fields(error)) from None
        call_id = await self.book.find(report.session_id, report.call_sid)
        if call_id is None and report.direction == "outbound" and report.session_id:
            # Ours have their rows before they are dialled: this one is none of ours, or was erased. Calls in, and those
            # that another dialer made, have no session and are nobody's order here.
            raise Refused(404, "unknown_call", "no call of ours has this session or call sid")
        new = await self.book.keep_report(report.call_sid, call_id, body.decode(), now_s)
        log.info(
            "report kept" if new else "report was here", call_sid=report.call_sid, outcome=report.outcome
        )
        return new
