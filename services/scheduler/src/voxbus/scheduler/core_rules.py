"""What a campaign asks for, as its API takes it, and what is everybody's rule. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator
from pydantic.alias_generators import to_camel

from voxbus.scheduler.core_numbers import is_e164, normalize
from voxbus.scheduler.core_orders import Name, Value
from voxbus.scheduler.core_window import DAYS, Hours, Span, minutes

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
#: What may come of a call that is worth another one. ``machine``: an answering machine took it.
Retried = Literal["busy", "no_answer", "failed", "machine"]


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Window(_Asked):
    """On the callee's clock."""

    start: str = Field(default="09:00", description="`HH:MM`.")
    end: str = Field(default="20:00", description="`HH:MM`; earlier than `start` means on the next day.")
    days: tuple[Day, ...] = Field(default=DAYS, min_length=1, description="The days on which it begins.")

    @field_validator("start", "end")
    @classmethod
    def _is_a_time(cls, value: str) -> str:
        minutes(value)
        return value


class Retry(_Asked):
    after_seconds: int = Field(ge=1, le=30 * 86_400, description="How long until the next call.")
    attempts: int = Field(
        ge=1, le=20, description="After so many calls to the contact this outcome is final."
    )


#: Somebody who is busy is there; somebody who does not answer is not, for a while.
_RETRY: dict[Retried, Retry] = {
    "busy": Retry(after_seconds=900, attempts=3),
    "no_answer": Retry(after_seconds=4 * 3600, attempts=3),
    "failed": Retry(after_seconds=1800, attempts=2),
    "machine": Retry(after_seconds=4 * 3600, attempts=1),
}


class Campaign(_Asked):
    """A list of people to be called for one purpose."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=120)]
    agent: Name = Field(description="The agent that talks, by name.")
    from_number: str = Field(
        default="", description="The number to call from, E.164; empty = TWILIO_FROM_NUMBER."
    )
    window: Window = Window()
    calls_per_second: float = Field(
        default=1.0, gt=0, le=100, description="Its own pace, never faster than CALLS_PER_SECOND."
    )
    calls_in_air: int = Field(
        default=10, ge=1, le=10_000, description="How many of its calls may go on at once."
    )
    retry: Mapping[Retried, Retry] = Field(
        default_factory=dict, description="By outcome; what is left out keeps its default."
    )
    variables: Mapping[Name, Value] = Field(
        default_factory=dict, max_length=100, description="For all contacts; a contact's own come first."
    )

    @field_validator("from_number")
    @classmethod
    def _is_e164(cls, value: str) -> str:
        if value and not is_e164(value):
            raise ValueError("not an E.164 number: expected + and the country code first")
        return normalize(value) if value else value

    def retry_after(self, outcome: Retried) -> Retry:
        return self.retry.get(outcome, _RETRY[outcome])


@dataclass(frozen=True)
class House:
    """The rules that no campaign can change."""

    quiet: Span
    attempts_per_day: int

    def hours(self, window: Window) -> Hours:
        span = Span(minutes(window.start), minutes(window.end))
        return Hours(span, self.quiet, frozenset(DAYS.index(day) for day in window.days))
