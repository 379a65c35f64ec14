"""Find what is being written for an agent, and an agent's chats in order, by an index each.

Revision ID: b7d1f0c24e19
Revises: 5e1c0de5a1f0
"""

import sqlalchemy as sa
from alembic import op

revision = "b7d1f0c24e19"
down_revision = "5e1c0de5a1f0"
branch_labels = None
depends_on = None

ACTIVE = sa.text("status IN ('pending', 'streaming')")


def upgrade() -> None:
    op.create_index(
        "ix_chats_active_agent", "chats", ["agent_id"], unique=False, sqlite_where=ACTIVE, postgresql_where=ACTIVE
    )
    op.create_index("ix_chats_agent_id_id", "chats", ["agent_id", "id"], unique=False)
    op.drop_index("ix_chats_agent_id_status", table_name="chats")


def downgrade() -> None:
    op.create_index("ix_chats_agent_id_status", "chats", ["agent_id", "status"], unique=False)
    op.drop_index("ix_chats_agent_id_id", table_name="chats")
    op.drop_index("ix_chats_active_agent", table_name="chats", sqlite_where=ACTIVE, postgresql_where=ACTIVE)
