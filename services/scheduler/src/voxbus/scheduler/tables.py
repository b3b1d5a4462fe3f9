"""The tables. What is here must be made by a migration, too: a test compares the two.

Times are Unix seconds: the same in SQLite and PostgreSQL.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# SQLite numbers rows only in a column that is exactly INTEGER.
_Serial = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    type_annotation_map = {float: Float(53), dict[str, Any]: JSON}  # noqa: RUF012 - read by SQLAlchemy


class Call(Base):
    """A call that was ordered. ``position`` is its place in the queue, ``id`` is the session id, too.

    ``claim``: a secret of the scheduler that holds it. ``tries``: how often the carrier said 429 to it.
    ``bound_by``: how its CallSid became known (create, callback, list). ``log_sequence``: how far its log is told.
    """

    __tablename__ = "calls"
    __table_args__ = (Index("ix_calls_state_position", "state", "position"),)

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
    created_at_s: Mapped[float]
    updated_at_s: Mapped[float]


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
