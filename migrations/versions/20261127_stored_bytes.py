"""Count what users store, for MAX_STORED_MB_PER_USER.

Revision ID: 91c3e7d2a05f
Revises: 6d20a1f4b8c3
"""

import sqlalchemy as sa
from alembic import op

revision = "91c3e7d2a05f"
down_revision = "6d20a1f4b8c3"
branch_labels = None
depends_on = None

ROW = 512  # As codesherpa.user.storage counts.
TEXTS = {
    "chats": ("message", "code_context", "response", "result"),
    "agents": ("name", "description", "system_prompt", "model_id"),
    "projects": ("name", "description", "instructions", "repository"),
    "conversations": (),
}


def upgrade() -> None:
    op.add_column("users", sa.Column("stored_bytes", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("chats", sa.Column("stored_bytes", sa.Integer(), server_default="0", nullable=False))
    # What is put together here are names of our own.
    op.execute(f"UPDATE chats SET stored_bytes = {size('chats')}")  # noqa: S608
    op.execute(f"UPDATE users SET stored_bytes = {' + '.join(map(total, TEXTS))}")  # noqa: S608


def downgrade() -> None:
    op.drop_column("chats", "stored_bytes")
    op.drop_column("users", "stored_bytes")


def total(table: str) -> str:
    each = "stored_bytes" if table == "chats" else size(table)
    return f"(SELECT coalesce(sum({each}), 0) FROM {table} WHERE user_id = users.id)"  # noqa: S608


def size(table: str) -> str:
    is_sqlite = op.get_context().dialect.name == "sqlite"
    octets = "length(CAST({} AS BLOB))" if is_sqlite else "octet_length(CAST({} AS TEXT))"
    return " + ".join([str(ROW), *(f"coalesce({octets.format(text)}, 0)" for text in TEXTS[table])])
