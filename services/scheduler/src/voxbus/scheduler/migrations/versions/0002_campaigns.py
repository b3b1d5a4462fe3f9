"""Campaigns, their contacts, and the numbers that are never dialled."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_serial = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("idempotency_key", sa.String(255), unique=True),
        sa.Column("rules", sa.JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("next_at_s", sa.Float(53), nullable=False),
        sa.Column("resumed_at_s", sa.Float(53), nullable=False),
        sa.Column("created_at_s", sa.Float(53), nullable=False),
        sa.Column("updated_at_s", sa.Float(53), nullable=False),
    )
    op.create_index("ix_campaigns_state", "campaigns", ["state"])
    op.create_table(
        "contacts",
        sa.Column("id", _serial, primary_key=True, autoincrement=True),
        sa.Column(
            "campaign", sa.String(64), sa.ForeignKey("campaigns.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("to_number", sa.String(16), nullable=False),
        sa.Column("zones", sa.Text, nullable=False),
        sa.Column("variables", sa.JSON, nullable=False),
        sa.Column("consent_source", sa.Text, nullable=False),
        sa.Column("consent_at_s", sa.Float(53), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("result", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at_s", sa.Float(53), nullable=False),
        sa.Column("call_id", sa.String(64)),
        sa.Column("news", sa.Boolean, nullable=False),
        sa.Column("created_at_s", sa.Float(53), nullable=False),
        sa.Column("updated_at_s", sa.Float(53), nullable=False),
    )
    op.create_index("ix_contacts_campaign_to_number", "contacts", ["campaign", "to_number"], unique=True)
    op.create_index("ix_contacts_campaign_state_next_at_s", "contacts", ["campaign", "state", "next_at_s"])
    op.create_index("ix_contacts_to_number", "contacts", ["to_number"])
    op.create_index("ix_contacts_call_id", "contacts", ["call_id"])
    op.create_index(
        "ix_contacts_news",
        "contacts",
        ["news"],
        sqlite_where=sa.text("news"),
        postgresql_where=sa.text("news"),
    )
    op.create_table(
        "do_not_call",
        sa.Column("number", sa.String(16), primary_key=True),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("call_sid", sa.String(34)),
        sa.Column("at_s", sa.Float(53), nullable=False),
    )
    # No foreign keys: SQLite adds them by copying the table, and dropping the old one would take along the history and
    # the reports that hang on its rows.
    op.add_column("calls", sa.Column("campaign", sa.String(64)))
    op.add_column("calls", sa.Column("contact", sa.BigInteger))
    op.add_column("calls", sa.Column("hang_up", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_index("ix_calls_campaign_updated_at_s", "calls", ["campaign", "updated_at_s"])
    op.create_index("ix_calls_contact", "calls", ["contact"])


def downgrade() -> None:
    op.drop_index("ix_calls_contact", "calls")
    op.drop_index("ix_calls_campaign_updated_at_s", "calls")
    for column in ("hang_up", "contact", "campaign"):
        op.drop_column("calls", column)
    for table in ("do_not_call", "contacts", "campaigns"):
        op.drop_table(table)
