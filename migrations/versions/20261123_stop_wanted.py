"""Keep the wish to stop a reply that another process writes.

Revision ID: 5b1f0c3a7e42
Revises: a03ee5f5a5a5
"""

import sqlalchemy as sa
from alembic import op

revision = "5b1f0c3a7e42"
down_revision = "a03ee5f5a5a5"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("chats") as batch:
        batch.add_column(sa.Column("stop_wanted", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade():
    with op.batch_alter_table("chats") as batch:
        batch.drop_column("stop_wanted")
