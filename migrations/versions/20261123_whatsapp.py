"""whatsapp

Revision ID: a03ee5f5a5a5
Revises: 3b8e21c07d54
Create Date: 2026-11-23 12:26:03.890405
"""

import sqlalchemy as sa
from alembic import op

revision = "a03ee5f5a5a5"
down_revision = "3b8e21c07d54"
branch_labels = None
depends_on = None


KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "whatsapp_strangers",
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("told_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_whatsapp_strangers")),
    )
    op.create_index(op.f("ix_whatsapp_strangers_told_on"), "whatsapp_strangers", ["told_on"], unique=False)

    op.create_table(
        "whatsapp_links",
        sa.Column("id", KEY, nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("number", sa.String(length=20), nullable=True),
        sa.Column("pending_number", sa.String(length=20), nullable=True),
        sa.Column("code_hash", sa.String(length=64), nullable=True),
        sa.Column("code_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("thread", sa.Integer(), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_whatsapp_links_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_whatsapp_links")),
        sa.UniqueConstraint("number", name=op.f("uq_whatsapp_links_number")),
        sa.UniqueConstraint("user_id", name=op.f("uq_whatsapp_links_user_id")),
    )
    op.create_index(op.f("ix_whatsapp_links_pending_number"), "whatsapp_links", ["pending_number"], unique=False)

    op.create_table(
        "whatsapp_replies",
        sa.Column("id", KEY, nullable=False),
        sa.Column("recipient", sa.String(length=20), nullable=False),
        sa.Column("body", sa.JSON(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_owner", sa.String(length=32), nullable=True),
        sa.Column("user_id", KEY, nullable=True),
        sa.Column("link_id", KEY, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["link_id"],
            ["whatsapp_links.id"],
            name=op.f("fk_whatsapp_replies_link_id_whatsapp_links"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_whatsapp_replies_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_whatsapp_replies")),
    )
    op.create_index(op.f("ix_whatsapp_replies_created_at"), "whatsapp_replies", ["created_at"], unique=False)
    op.create_index(op.f("ix_whatsapp_replies_link_id"), "whatsapp_replies", ["link_id"], unique=False)
    op.create_index(op.f("ix_whatsapp_replies_recipient"), "whatsapp_replies", ["recipient"], unique=False)
    op.create_index("ix_whatsapp_replies_state_id", "whatsapp_replies", ["state", "id"], unique=False)
    op.create_index(op.f("ix_whatsapp_replies_user_id"), "whatsapp_replies", ["user_id"], unique=False)

    op.create_table(
        "whatsapp_messages",
        sa.Column("id", KEY, nullable=False),
        sa.Column("wamid", sa.String(length=255), nullable=False),
        sa.Column("sender", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("user_id", KEY, nullable=True),
        sa.Column("chat_id", KEY, nullable=True),
        sa.Column("lease_owner", sa.String(length=32), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["chat_id"], ["chats.id"], name=op.f("fk_whatsapp_messages_chat_id_chats"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_whatsapp_messages_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_whatsapp_messages")),
        sa.UniqueConstraint("wamid", name=op.f("uq_whatsapp_messages_wamid")),
    )
    op.create_index(op.f("ix_whatsapp_messages_chat_id"), "whatsapp_messages", ["chat_id"], unique=False)
    op.create_index(op.f("ix_whatsapp_messages_received_at"), "whatsapp_messages", ["received_at"], unique=False)
    op.create_index(op.f("ix_whatsapp_messages_sender"), "whatsapp_messages", ["sender"], unique=False)
    op.create_index("ix_whatsapp_messages_state_id", "whatsapp_messages", ["state", "id"], unique=False)
    op.create_index(op.f("ix_whatsapp_messages_user_id"), "whatsapp_messages", ["user_id"], unique=False)


def downgrade() -> None:
    op.drop_table("whatsapp_messages")
    op.drop_table("whatsapp_replies")
    op.drop_table("whatsapp_links")
    op.drop_table("whatsapp_strangers")
