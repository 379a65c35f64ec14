"""Find a user's live sessions, and those that are to be deleted, without a look at all the others.

Revision ID: 6d20a1f4b8c3
Revises: 4e9b27d1c05a
"""

import sqlalchemy as sa
from alembic import op

revision = "6d20a1f4b8c3"
down_revision = "4e9b27d1c05a"
branch_labels = None
depends_on = None

LIVE = {f"{dialect}_where": sa.text("ended_at IS NULL") for dialect in ("sqlite", "postgresql")}


def upgrade() -> None:
    op.create_index("ix_auth_sessions_live", "auth_sessions", ["user_id", "last_used_at", "id"], **LIVE)
    op.create_index(op.f("ix_auth_sessions_refresh_issued_at"), "auth_sessions", ["refresh_issued_at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_auth_sessions_refresh_issued_at"), table_name="auth_sessions")
    op.drop_index("ix_auth_sessions_live", table_name="auth_sessions", **LIVE)
