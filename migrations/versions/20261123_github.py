"""repositories on GitHub and reviews of their pull requests

Revision ID: 8e2f4c6b1a70
Revises: b7d1f0c24e19
Create Date: 2026-11-23 13:00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "8e2f4c6b1a70"
down_revision = "b7d1f0c24e19"
branch_labels = None
depends_on = None


KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "github_repositories",
        sa.Column("id", KEY, nullable=False),
        sa.Column("github_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=140), nullable=False),
        sa.Column("name_key", sa.String(length=140), nullable=False),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column("viewers", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_github_repositories")),
        sa.UniqueConstraint("github_id", name=op.f("uq_github_repositories_github_id")),
    )
    op.create_index(op.f("ix_github_repositories_name_key"), "github_repositories", ["name_key"])
    op.create_table(
        "github_reviews",
        sa.Column("id", KEY, nullable=False),
        sa.Column("key", sa.String(length=300), nullable=False),
        sa.Column("repository_id", KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("author", sa.String(length=100), nullable=False),
        sa.Column("head_sha", sa.String(length=64), nullable=False),
        sa.Column("result", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("unread", sa.JSON(), nullable=False),
        sa.Column("comment_id", sa.BigInteger(), nullable=True),
        sa.Column("provider", sa.String(length=20), nullable=True),
        sa.Column("model_id", sa.String(length=2048), nullable=True),
        sa.Column("input_tokens", sa.Integer(), nullable=False),
        sa.Column("output_tokens", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["github_repositories.id"],
            name=op.f("fk_github_reviews_repository_id_github_repositories"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_github_reviews")),
        sa.UniqueConstraint("key", name=op.f("uq_github_reviews_key")),
    )
    op.create_index("ix_github_reviews_repository_id_id", "github_reviews", ["repository_id", "id"])
    op.create_index("ix_github_reviews_repository_id_created_at", "github_reviews", ["repository_id", "created_at"])


def downgrade() -> None:
    op.drop_table("github_reviews")
    op.drop_table("github_repositories")
