"""The tables. What is here must be made by a migration, too: a test compares the two.

Times are Unix seconds: the same in SQLite and PostgreSQL.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Float, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# SQLite numbers rows only in a column that is exactly INTEGER.
_Serial = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    type_annotation_map = {float: Float(53), dict[str, Any]: JSON}  # noqa: RUF012 - read by SQLAlchemy


class Call(Base):
    """A call that was ordered. ``position`` is its place in the queue, ``id`` is the session id, too.

    ``claim``: a secret of the scheduler that holds it. ``tries``: how often the carrier said 429 to it.
    ``bound_by``: how its CallSid became known (create, callback, list). ``log_sequence``: how far its log is told.
    ``campaign`` and ``contact``: whose call it is; empty for a single one. ``hang_up``: somebody asked for its end.
    """

    __tablename__ = "calls"
    __table_args__ = (
        Index("ix_calls_state_position", "state", "position"),
        Index("ix_calls_campaign_updated_at_s", "campaign", "updated_at_s"),
    )

    position: Mapped[int] = mapped_column(_Serial, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(64), unique=True)
    idempotency_key: Mapped[str | None] = mapped_column(String(255), unique=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    to_number: Mapped[str] = mapped_column(String(16), index=True)
    from_number: Mapped[str] = mapped_column(String(16))
    agent: Mapped[str] = mapped_column(String(64))
    variables: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(16))
    call_sid: Mapped[str | None] = mapped_column(String(34), unique=True)
    bound_by: Mapped[str] = mapped_column(String(16), default="")
    claim: Mapped[str] = mapped_column(String(32), default="")
    claim_until_s: Mapped[float] = mapped_column(default=0.0)
    tries: Mapped[int] = mapped_column(Integer, default=0)
    dialled_at_s: Mapped[float] = mapped_column(default=0.0)
    checked_at_s: Mapped[float] = mapped_column(default=0.0)
    error_code: Mapped[str] = mapped_column(String(64), default="")
    error: Mapped[str] = mapped_column(Text, default="")
    answered_by: Mapped[str] = mapped_column(String(32), default="")
    log_sequence: Mapped[int] = mapped_column(BigInteger, default=0)
    campaign: Mapped[str | None] = mapped_column(String(64))
    contact: Mapped[int | None] = mapped_column(BigInteger, index=True)
    hang_up: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at_s: Mapped[float]
    updated_at_s: Mapped[float]


class Campaign(Base):
    """``rules`` is what was asked for (``core_rules.Campaign``). ``state``: running, paused, canceled; ``reason``: why.

    ``next_at_s``: when it may dial next, by its own pace. ``resumed_at_s``: what failed before is forgiven.
    """

    __tablename__ = "campaigns"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    idempotency_key: Mapped[str | None] = mapped_column(String(255), unique=True)
    rules: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(16), index=True)
    reason: Mapped[str] = mapped_column(Text, default="")
    next_at_s: Mapped[float] = mapped_column(default=0.0)
    resumed_at_s: Mapped[float]
    created_at_s: Mapped[float]
    updated_at_s: Mapped[float]


class Contact(Base):
    """Somebody to be called for a campaign. ``state``: waiting, calling, done; ``result`` once it is done.

    ``zones``: names of time zones, separated by spaces. ``next_at_s``: not to be looked at before. ``call_id``: the
    latest call. ``news``: that call has ended, and what follows from it is not decided yet.
    """

    __tablename__ = "contacts"
    __table_args__ = (
        Index("ix_contacts_campaign_to_number", "campaign", "to_number", unique=True),
        Index("ix_contacts_campaign_state_next_at_s", "campaign", "state", "next_at_s"),
        Index("ix_contacts_news", "news", sqlite_where=text("news"), postgresql_where=text("news")),
    )

    id: Mapped[int] = mapped_column(_Serial, primary_key=True, autoincrement=True)
    campaign: Mapped[str] = mapped_column(ForeignKey("campaigns.id", ondelete="CASCADE"))
    to_number: Mapped[str] = mapped_column(String(16), index=True)
    zones: Mapped[str] = mapped_column(Text)
    variables: Mapped[dict[str, Any]]
    consent_source: Mapped[str] = mapped_column(Text)
    consent_at_s: Mapped[float]
    state: Mapped[str] = mapped_column(String(16))
    result: Mapped[str] = mapped_column(String(16), default="")
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    next_at_s: Mapped[float]
    call_id: Mapped[str | None] = mapped_column(String(64), index=True)
    news: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at_s: Mapped[float]
    updated_at_s: Mapped[float]


class DoNotCall(Base):
    """A number that is never dialled. ``source``: api, import, call; ``evidence``: what was said or written."""

    __tablename__ = "do_not_call"

    number: Mapped[str] = mapped_column(String(16), primary_key=True)
    source: Mapped[str] = mapped_column(String(16))
    evidence: Mapped[str] = mapped_column(Text, default="")
    call_sid: Mapped[str | None] = mapped_column(String(34))
    at_s: Mapped[float]


class Change(Base):
    """One step of a call's life."""

    __tablename__ = "changes"

    id: Mapped[int] = mapped_column(_Serial, primary_key=True, autoincrement=True)
    call_id: Mapped[str] = mapped_column(ForeignKey("calls.id", ondelete="CASCADE"), index=True)
    at_s: Mapped[float]
    state: Mapped[str] = mapped_column(String(16))
    detail: Mapped[str] = mapped_column(Text, default="")


class Report(Base):
    """A report as it came, once a call. ``call_id`` is empty for a call that was not ordered here."""

    __tablename__ = "reports"

    call_sid: Mapped[str] = mapped_column(String(34), primary_key=True)
    call_id: Mapped[str | None] = mapped_column(ForeignKey("calls.id", ondelete="CASCADE"), index=True)
    received_at_s: Mapped[float]
    body: Mapped[str] = mapped_column(Text)


class Pace(Base):
    """When the account may dial next. One row, which all schedulers ask."""

    __tablename__ = "pace"

    account: Mapped[str] = mapped_column(String(64), primary_key=True)
    next_at_s: Mapped[float]
