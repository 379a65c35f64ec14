"""Find a sender's earlier messages, and a number's earlier replies, at once: each look went through all that waited.

Revision ID: 4e9b27d1c05a
Revises: c4a7d90b63e8
"""

from alembic import op

revision = "4e9b27d1c05a"
down_revision = "c4a7d90b63e8"
branch_labels = None
depends_on = None

WHOSE = {"whatsapp_messages": "sender", "whatsapp_replies": "recipient"}


def upgrade() -> None:
    for table, whose in WHOSE.items():
        op.create_index(op.f(f"ix_{table}_{whose}_state_id"), table, [whose, "state", "id"])
        op.drop_index(op.f(f"ix_{table}_{whose}"), table_name=table)


def downgrade() -> None:
    for table, whose in WHOSE.items():
        op.create_index(op.f(f"ix_{table}_{whose}"), table, [whose])
        op.drop_index(op.f(f"ix_{table}_{whose}_state_id"), table_name=table)
