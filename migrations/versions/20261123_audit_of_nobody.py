"""audit of nobody

A sign-in that fails for an unknown address is kept too.

Revision ID: 5e1c0de5a1f0
Revises: 5b1f0c3a7e42
Create Date: 2026-11-23 12:30:00
"""

import sqlalchemy as sa
from alembic import op

revision = "5e1c0de5a1f0"
down_revision = "5b1f0c3a7e42"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("audit_events") as events:
        events.alter_column("user_id", existing_type=KEY, nullable=True)


def downgrade() -> None:
    op.execute("DELETE FROM audit_events WHERE user_id IS NULL")
    with op.batch_alter_table("audit_events") as events:
        events.alter_column("user_id", existing_type=KEY, nullable=False)
