"""One attempt to deliver a report over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

import httpx

from voxbus.common import logs, signing, telemetry
from voxbus.common.report import CallReport
from voxbus.reporter.core_delivery import Answer

PATH: Final = "/v1/agent/call-report"

log = logs.get_logger(__name__)

_ATTEMPTS = telemetry.counter(
    "reporter_attempts", "Attempts to deliver a report, by what came of it.", "result"
)
_ATTEMPT_MS = telemetry.histogram_ms("reporter_attempt", "How long the backend took to answer.")


class Courier:
    """Carries reports to ``{api_url}/v1/agent/call-report``, signed with the first of ``secrets``."""

    def __init__(self, api_url: str, secrets: Sequence[bytes], timeout_s: float) -> None:
        self._url = api_url.rstrip("/") + PATH
        self._secret = secrets[0]
        self._timeout_s = timeout_s
        # No redirects: they would send personal data to where nobody configured it.
        self._http = httpx.AsyncClient(timeout=None, follow_redirects=False, trust_env=False)  # noqa: S113

    async def post(self, report: CallReport) -> Answer:
        """Never raises for what the backend or the network does: the answer says it."""
        body = report.to_json()
        headers = {
            "content-type": "application/json",
            # The backend keeps one report a call: an attempt whose answer was lost does no harm.
            "idempotency-key": report.call_sid,
            **signing.headers(self._secret, body, time.time()),
        }
        start = time.perf_counter()
        try:
            # httpx limits each step; the whole attempt is what our schedule is about.
            async with asyncio.timeout(self._timeout_s):
                response = await self._http.post(self._url, content=body, headers=headers)
            answer = Answer(status=response.status_code)
        except TimeoutError:
            answer = Answer(error="timeout")
        except httpx.HTTPError as error:
            # Only the kind: the message may repeat the address with what is in it.
            answer = Answer(error=type(error).__name__)
        _ATTEMPT_MS.observe((time.perf_counter() - start) * 1000)
        _ATTEMPTS.labels(answer.verdict).inc()
        return answer

    async def close(self) -> None:
        await self._http.aclose()
