"""How a call ended, who ended it, and what became of its report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from voxbus.common import events as ev
from voxbus.common.fold import CallState
from voxbus.common.outcome import terminal_status
from voxbus.devkit.why.core_finding import count


@dataclass(frozen=True)
class Ending:
    """``well``: as calls end and are reported when nothing is wrong."""

    text: str
    well: bool


def endings(state: CallState) -> Iterator[Ending]:
    yield _end(state)
    match state.reported:
        case ev.ReportDelivered(attempts=attempts):
            yield Ending(f"the report was delivered at attempt {attempts}", True)
        case ev.ReportLost(attempts=attempts, error=error):
            text = f"the report was LOST after {count(attempts, 'attempt')} ({error})"
            yield Ending(f"{text}; `voxbus reports replay` delivers it", False)
        case None if state.ended is not None:
            yield Ending("the report has neither been delivered nor given up yet", True)
        case None:
            pass


def _end(state: CallState) -> Ending:
    ended, status = state.ended, terminal_status(state)
    said = f"the carrier says {status.status}{_sip(status)}" if status is not None else ""
    if state.started is None:
        return Ending(
            f"there was no conversation: {said or 'its media stream never came'}", not _failed(status)
        )
    if ended is None:
        if said:
            return Ending(f"{said}, and no gateway has ended the call yet", False)
        return Ending("the call is not over", True)
    other = "callee" if state.started.direction == "outbound" else "caller"
    unheard = state.turn is not None and bool(state.turn.unplayed())
    early = " before the end of the agent's reply" if unheard else ""
    match ended.reason:
        case "caller_hung_up":
            return Ending(f"the {other} hung up{early}", True)
        case "agent_hung_up":
            return Ending(
                f"the agent hung up{', and its goodbye was not heard' if unheard else ''}", not unheard
            )
        case "transferred":
            target = f" to {state.transfer.target}" if state.transfer is not None else ""
            return Ending(f"the agent transferred the call{target}", True)
        case "carrier":
            return Ending(
                f"the carrier ended it{early}: {said or ended.detail or 'no word why'}", not _failed(status)
            )
        case "connection_lost":
            return Ending(f"the connection to the {other} was lost and did not come back", False)
        case "no_capacity":
            who = ended.detail or "no STT worker took it"
            told = "the carrier was asked to say so" if ended.unsaid else "the agent apologized and hung up"
            return Ending(f"{who} in time: {told}", False)
        case "time_limit":
            return Ending("the call was cut at its time limit (MAX_CALL_S)", False)
        case "error":
            return Ending(f"an error of ours ended it: {ended.detail or 'no detail'}", False)


def _sip(status: ev.Status) -> str:
    return f" (SIP {status.sip_code})" if status.sip_code else ""


def _failed(status: ev.Status | None) -> bool:
    return status is not None and status.status == "failed"
