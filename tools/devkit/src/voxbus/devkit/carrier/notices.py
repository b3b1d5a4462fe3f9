"""What the carrier tells beside the call: status callbacks of the call and of its streams.

Each is a request of its own, so they may overtake one another. Fields: https://www.twilio.com/docs/voice/api/call-resource
(status callbacks) and https://www.twilio.com/docs/voice/twiml/stream (statusCallback).
"""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from urllib.parse import urljoin

from voxbus.common.audio import FRAME_MS
from voxbus.devkit.carrier.core_twiml import Method, Stream
from voxbus.devkit.carrier.plan import CallPlan, StatusEvent
from voxbus.devkit.carrier.result import CallResult
from voxbus.devkit.carrier.webhooks import RetrievalError, Webhooks

#: SIP's words for how a call ended. RFC 3261, 21
_SIP = {"completed": "200", "busy": "486", "no-answer": "480", "failed": "404", "canceled": "487"}


class Notices:
    """Every request reports the status in the call's ``result``."""

    def __init__(self, plan: CallPlan, webhooks: Webhooks, result: CallResult) -> None:
        self._plan = plan
        self._webhooks = webhooks
        self._result = result
        self._sequence = 0
        self._under_way: set[asyncio.Task[None]] = set()

    def form(self) -> dict[str, str]:
        """What every request about the call says."""
        plan = self._plan
        return {
            "AccountSid": plan.account_sid,
            "ApiVersion": "2010-04-01",
            "CallSid": self._result.call_sid,
            "CallStatus": self._result.status,
            "Called": plan.to_number,
            "Caller": plan.from_number,
            "Direction": plan.direction,
            "From": plan.from_number,
            "To": plan.to_number,
        }

    def call(self, event: StatusEvent, status: str) -> None:
        """The call has come so far; ``completed`` stands for every end.

        Each change takes a number, asked for or not, so that the order can be told.
        """
        self._result.status = status
        sequence, self._sequence = self._sequence, self._sequence + 1
        if not self._plan.status_url or event not in self._plan.status_events:
            return
        form = self.form() | {
            "CallbackSource": "call-progress-events",
            "SequenceNumber": str(sequence),
            "Timestamp": formatdate(),
        }
        if event == "completed":
            seconds = round(self._result.recording.frames * FRAME_MS / 1000)
            form |= {
                "CallDuration": str(seconds),
                "Duration": str(-(-seconds // 60)),
                "SipResponseCode": _SIP[self._result.status],
            }
        self._send(self._plan.status_url, "POST", form)

    def answered_by(self, verdict: str, duration_ms: float) -> None:
        """What answering-machine detection found."""
        form = self.form() | {"AnsweredBy": verdict, "MachineDetectionDuration": str(round(duration_ms))}
        self._send(self._plan.amd_url, "POST", form)

    def stream(self, verb: Stream, stream_sid: str, event: str, error: int = 0) -> None:
        """``event``: stream-started, stream-stopped or stream-error, the latter with its code."""
        if not verb.status_callback:
            return
        form = {
            "AccountSid": self._plan.account_sid,
            "CallSid": self._result.call_sid,
            "StreamSid": stream_sid,
            "StreamName": verb.name or stream_sid,
            "StreamEvent": event,
            "Timestamp": formatdate(),
        }
        if error:
            form["StreamError"] = str(error)
        self._send(urljoin(self._plan.voice_url, verb.status_callback), verb.status_callback_method, form)

    async def sent(self) -> None:
        """Until none is under way."""
        while self._under_way:
            await asyncio.gather(*self._under_way)

    def _send(self, url: str, method: Method, form: dict[str, str]) -> None:
        task = asyncio.create_task(self._request(url, method, form))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _request(self, url: str, method: Method, form: dict[str, str]) -> None:
        try:
            await self._webhooks.request(url, method, form)
        except RetrievalError as error:
            self._result.debugger.add(error.code, str(error))
