"""Calls, their history, their reports, and the pace of dialling."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_serial = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "calls",
        sa.Column("position", _serial, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(64), nullable=False, unique=True),
        sa.Column("idempotency_key", sa.String(255), unique=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("to_number", sa.String(16), nullable=False),
        sa.Column("from_number", sa.String(16), nullable=False),
        sa.Column("agent", sa.String(64), nullable=False),
        sa.Column("variables", sa.JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("call_sid", sa.String(34), unique=True),
        sa.Column("bound_by", sa.String(16), nullable=False),
        sa.Column("claim", sa.String(32), nullable=False),
        sa.Column("claim_until_s", sa.Float(53), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("dialled_at_s", sa.Float(53), nullable=False),
        sa.Column("checked_at_s", sa.Float(53), nullable=False),
        sa.Column("error_code", sa.String(64), nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("answered_by", sa.String(32), nullable=False),
        sa.Column("log_sequence", sa.BigInteger, nullable=False),
        sa.Column("created_at_s", sa.Float(53), nullable=False),
        sa.Column("updated_at_s", sa.Float(53), nullable=False),
    )
    op.create_index("ix_calls_state_position", "calls", ["state", "position"])
    op.create_index("ix_calls_to_number", "calls", ["to_number"])
    op.create_table(
        "changes",
        sa.Column("id", _serial, primary_key=True, autoincrement=True),
        sa.Column("call_id", sa.String(64), sa.ForeignKey("calls.id", ondelete="CASCADE"), nullable=False),
        sa.Column("at_s", sa.Float(53), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("ix_changes_call_id", "changes", ["call_id"])
    op.create_table(
        "reports",
        sa.Column("call_sid", sa.String(34), primary_key=True),
        sa.Column("call_id", sa.String(64), sa.ForeignKey("calls.id", ondelete="CASCADE")),
        sa.Column("received_at_s", sa.Float(53), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("ix_reports_call_id", "reports", ["call_id"])
    op.create_table(
        "pace",
        sa.Column("account", sa.String(64), primary_key=True),
        sa.Column("next_at_s", sa.Float(53), nullable=False),
    )


def downgrade() -> None:
    for table in ("pace", "reports", "changes", "calls"):
        op.drop_table(table)
