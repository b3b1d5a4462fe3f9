"""Where a turn's time went, as the services measured their own parts of it."""

from __future__ import annotations

from dataclasses import dataclass

from voxbus.common.turns import TurnState


@dataclass(frozen=True)
class Latency:
    """Where the time went between the caller's last sound and the first agent frame that the gateway sent.

    ``endpointing_ms``: waiting for the silence that ends a turn or, before a greeting, for the line to open.
    ``first_token_ms``, ``sentence_ms``: the language model's first token, and from there to a whole sentence.
    Of the work on a guess only what the caller waited for: what was done before the guess was confirmed cost nothing.
    ``rest_ms``: the bus, the queues and the playout, that is ``total_ms`` less all the other parts, each of which its
    own service measured; not below 0, for the clocks of the services agree to a frame of 20 ms only.
    ``tools_ms``: tools that were asked before the first word.
    """

    endpointing_ms: float
    recognition_ms: float
    first_token_ms: float
    sentence_ms: float
    synthesis_ms: float
    rest_ms: float
    total_ms: float
    tools_ms: float = 0.0


def latency_of(turn: TurnState) -> Latency | None:
    """None when nothing of the turn was audible, or is yet."""
    if not turn.sentences:
        return None
    first = turn.sentences[min(turn.sentences)]
    synthesis = first.heard.synthesis_ms if first.heard else 0.0
    total = first.heard.response_ms if first.heard else 0.0
    if not total and turn.interrupted is not None:
        total = turn.interrupted.response_ms
    if not total:
        return None
    said = turn.utterance
    greeting = first.event.ready_ms if said is None else 0.0
    decided = turn.confirmation or said
    parts = {
        "endpointing_ms": decided.endpoint_ms if decided else greeting,
        "recognition_ms": decided.recognition_ms if decided else 0.0,
    }
    # Tools wait for the confirmation: nothing of them is ahead.
    ahead_ms = 0.0
    if turn.confirmation is not None and said is not None:
        ahead_ms = max(0.0, sum(parts.values()) - said.endpoint_ms - said.recognition_ms)
    for name, ms in (
        ("first_token_ms", first.event.first_token_ms - first.event.tools_ms),
        ("sentence_ms", first.event.ready_ms - first.event.first_token_ms - greeting),
        ("synthesis_ms", synthesis),
    ):
        parts[name] = max(0.0, ms - ahead_ms)
        ahead_ms = max(0.0, ahead_ms - ms)
    parts["tools_ms"] = first.event.tools_ms
    rest = max(0.0, total - sum(parts.values()))
    return Latency(
        **{name: round(ms, 1) for name, ms in {**parts, "rest_ms": rest, "total_ms": total}.items()}
    )
