"""Which service publishes which event. docs/events.md and the permissions of the NATS users follow it."""

from __future__ import annotations

from typing import Final

#: Services by kind. ``ended`` has two: the gateway, and the STT worker of a call whose audio never came back.
PUBLISHERS: Final[dict[str, tuple[str, ...]]] = {
    "started": ("gateway",),
    "resumed": ("gateway",),
    "attached": ("stt",),
    "speech_started": ("stt",),
    "barge_in": ("stt",),
    "utterance": ("stt",),
    "utterance_confirmed": ("stt",),
    "utterance_withdrawn": ("stt",),
    "sentence": ("llm",),
    "reply_ended": ("llm",),
    "tool_called": ("llm",),
    "tool_returned": ("llm",),
    "heard": ("gateway",),
    "paused": ("gateway",),
    "continued": ("gateway",),
    "interrupted": ("gateway",),
    "dtmf": ("gateway",),
    "status": ("gateway",),
    "hangup_requested": ("llm",),
    "transfer_requested": ("llm",),
    "do_not_call_requested": ("llm",),
    "recording_started": ("gateway",),
    "recording_ended": ("gateway",),
    "disconnected": ("gateway",),
    "ended": ("gateway", "stt"),
    "report_delivered": ("reporter",),
    "report_lost": ("reporter",),
}
