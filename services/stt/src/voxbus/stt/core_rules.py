"""The turn rules of one call: the worker's settings, overridden by the agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from voxbus.common.agents import Agent, Dtmf
from voxbus.stt.recognizer import TurnEnds


@dataclass(frozen=True)
class Rules:
    """See docs/configuration.md for the meaning of each; probabilities are of the voice activity detector."""

    speech_start_prob: float = 0.6
    speech_end_prob: float = 0.35
    silence_duration_ms: int = 500
    min_speech_ms: int = 500
    barge_in_prob_threshold: float = 0.85
    barge_in_consecutive_frames: int = 3
    eot_threshold: float = 0.85
    eager_eot_threshold: float = 0.5
    post_utterance_silence_ms: int = 1500
    max_turn_ms: int = 30000
    no_input_ms: int = 7000
    max_call_s: int = 900
    dtmf: Dtmf = field(default_factory=Dtmf)
    backchannels: tuple[str, ...] = ()
    #: The recognizer says itself when a turn is over; silence alone ends it only after post_utterance_silence_ms.
    provider_ends_turns: bool = False

    def ended_by_silence(self, silence_ms: int, lasted_ms: int) -> bool:
        """Whether a turn is over that began ``lasted_ms`` ago. The longest silence waits for nothing else."""
        if self.provider_ends_turns or lasted_ms < self.min_speech_ms:
            return silence_ms >= self.post_utterance_silence_ms
        return silence_ms >= min(self.silence_duration_ms, self.post_utterance_silence_ms)

    @property
    def ends(self) -> TurnEnds:
        return TurnEnds(self.eot_threshold, self.eager_eot_threshold)


def rules_for(settings: Mapping[str, object], agent: Agent, *, provider_ends_turns: bool = False) -> Rules:
    """``settings``: the worker's, by field name; what an agent leaves out is theirs."""
    names = {f.name for f in fields(Rules)}
    of_worker = {name: value for name, value in settings.items() if name in names}
    of_agent = agent.turn.model_dump(exclude_none=True)
    if agent.max_call_s is not None:
        of_agent["max_call_s"] = agent.max_call_s
    return replace(
        Rules(),
        **{**of_worker, **of_agent},
        dtmf=agent.dtmf,
        backchannels=agent.backchannels,
        provider_ends_turns=provider_ends_turns,
    )
