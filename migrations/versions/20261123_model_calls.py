"""model calls: the ledger of what models cost, and what a chat reserves of the day's budget

Revision ID: 3b8e21c07d54
Revises: 5b1c7e0a9d34
Create Date: 2026-11-23 12:20:00
"""

import sqlalchemy as sa
from alembic import op

revision = "3b8e21c07d54"
down_revision = "5b1c7e0a9d34"
branch_labels = None
depends_on = None


KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("chats", sa.Column("reserved_tokens", sa.Integer(), nullable=True))
    op.create_table(
        "model_calls",
        sa.Column("id", KEY, nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("agent_id", KEY, nullable=True),
        sa.Column("chat_id", KEY, nullable=True),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("model_id", sa.String(length=2048), nullable=False),
        sa.Column("input_tokens", sa.Integer(), nullable=False),
        sa.Column("output_tokens", sa.Integer(), nullable=False),
        sa.Column("cache_read_tokens", sa.Integer(), nullable=False),
        sa.Column("cache_write_tokens", sa.Integer(), nullable=False),
        sa.Column("estimated", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("cost_nanodollars", sa.BigInteger(), nullable=False),
        sa.Column("fault", sa.String(length=40), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agents.id"], name=op.f("fk_model_calls_agent_id_agents"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["chat_id"], ["chats.id"], name=op.f("fk_model_calls_chat_id_chats"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_model_calls_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_calls")),
    )
    op.create_index(op.f("ix_model_calls_agent_id"), "model_calls", ["agent_id"], unique=False)
    op.create_index(op.f("ix_model_calls_chat_id"), "model_calls", ["chat_id"], unique=False)
    op.create_index("ix_model_calls_day", "model_calls", ["day"], unique=False)
    op.create_index("ix_model_calls_user_id_day", "model_calls", ["user_id", "day"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_model_calls_user_id_day", table_name="model_calls")
    op.drop_index("ix_model_calls_day", table_name="model_calls")
    op.drop_index(op.f("ix_model_calls_chat_id"), table_name="model_calls")
    op.drop_index(op.f("ix_model_calls_agent_id"), table_name="model_calls")
    op.drop_table("model_calls")
    with op.batch_alter_table("chats") as chats:
        chats.drop_column("reserved_tokens")
