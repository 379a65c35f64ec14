"""Give no id twice on SQLite either: the next row had the id of the last one, once that was deleted.

Revision ID: c4a7d90b63e8
Revises: 8e2f4c6b1a70
"""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import op
from sqlalchemy import text

revision = "c4a7d90b63e8"
down_revision = "8e2f4c6b1a70"
branch_labels = None
depends_on = None

# Parents first. PostgreSQL's sequences only ever count on.
TABLES = [
    "users",
    "agents",
    "audit_events",
    "auth_sessions",
    "projects",
    "conversations",
    "chats",
    "deliveries",
    "jobs",
    "model_calls",
    "whatsapp_links",
    "whatsapp_replies",
    "whatsapp_messages",
    "github_repositories",
    "github_reviews",
]


def upgrade() -> None:
    for name in sqlite_tables():
        with in_order(name), op.batch_alter_table(name, recreate="always", table_kwargs={"sqlite_autoincrement": True}):
            pass  # SQLite takes this when a table is made, and never after.


def downgrade() -> None:
    for name in sqlite_tables():
        options = {"recreate": "always", "table_kwargs": {"sqlite_autoincrement": False}}
        with in_order(name), op.batch_alter_table(name, **options) as table:
            table.create_primary_key(op.f(f"pk_{name}"), ["id"])


@contextmanager
def in_order(table: str) -> Iterator[None]:
    """Make a table's indexes anew in their order: of two that serve as well, SQLite takes the one made last."""
    made = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = :table AND sql <> '' ORDER BY rowid"
    indexes = op.get_bind().execute(text(made), {"table": table}).all()
    yield
    for name, sql in indexes:
        op.execute(text(f'DROP INDEX "{name}"'))
        op.get_bind().exec_driver_sql(sql)


def sqlite_tables() -> list[str]:
    return TABLES if op.get_context().dialect.name == "sqlite" else []
