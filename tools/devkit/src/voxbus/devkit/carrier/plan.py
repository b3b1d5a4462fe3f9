"""What a call is to be: the account, the numbers, the line, and how the carrier behaves where nobody knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from voxbus.devkit.carrier.core_line import LineQuality
from voxbus.devkit.carrier.core_twiml import Method
from voxbus.devkit.carrier.route import Route

StatusEvent = Literal["initiated", "ringing", "answered", "completed"]

#: What becomes of a telephone that rings; all but the first are the carrier's words for the call's last status.
Fate = Literal["answers", "busy", "no-answer", "failed"]
Detection = Literal["Enable", "DetectMessageEnd"]


@dataclass(frozen=True)
class CallPlan:
    """``auth_token`` empty: nothing is signed. ``call_sid`` empty: a new one.

    ``on_loss``: what happens after a WebSocket broke without a closing handshake, or could not be opened.
    The vendor does not document it, so an application must be right under both: the next verb runs, or the
    call ends.

    ``ring_s`` and ``fate`` are of calls that the application places, and so is ``amd_url``, where the verdict of
    answering-machine detection goes (empty: it is not asked for).

    ``sign_trailing_slash``: sign the WebSocket's URL with a slash at its end, the other form that has been seen.
    """

    voice_url: str
    voice_method: Method = "POST"
    auth_token: str = ""
    account_sid: str = "AC" + "0" * 32
    call_sid: str = ""
    direction: Literal["inbound", "outbound-api"] = "inbound"
    # Numbers of the range that is kept free for fiction (555-0100 to 555-0199).
    from_number: str = "+15550100001"
    to_number: str = "+15550100002"
    status_url: str = ""
    status_events: frozenset[StatusEvent] = frozenset({"completed"})
    ring_s: float = 0.0
    fate: Fate = "answers"
    amd_url: str = ""
    detection: Detection = "Enable"
    line: LineQuality = field(default_factory=LineQuality)
    on_loss: Literal["next_verb", "end_call"] = "next_verb"
    sign_trailing_slash: bool = False
    time_limit_s: float = 14400
    route: Route = field(default_factory=Route)
