"""Repositories and the reviews of their pull requests, as they are stored."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from codesherpa.database import NEVER_AGAIN, Dated, Key, Time
from codesherpa.extensions import Model


class Repository(Dated, Model):
    """A repository that deliveries came from, as the last of them told.

    `github_id` stays when it is renamed; `name_key` is its name in lower case, "" once another one has taken
    the name. `viewers` are the codes of users who may see what is private (see access.py).
    """

    __tablename__ = "github_repositories"

    github_id: Mapped[int] = mapped_column(BigInteger, unique=True)
    name: Mapped[str] = mapped_column(String(140))
    name_key: Mapped[str] = mapped_column(String(140), index=True)
    private: Mapped[bool]
    viewers: Mapped[list[str]] = mapped_column(JSON, default=list)


class Review(Model):
    """What one job said about a pull request. `key` is the job's; `status` is running, complete, failed or superseded.

    `result` is the sherpa's answer as in a chat, `unread` names what it did not see, and why.
    """

    __tablename__ = "github_reviews"
    __table_args__ = (
        Index("ix_github_reviews_repository_id_id", "repository_id", "id"),
        Index("ix_github_reviews_repository_id_created_at", "repository_id", "created_at"),
        NEVER_AGAIN,
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    key: Mapped[str] = mapped_column(String(300), unique=True)
    repository_id: Mapped[int] = mapped_column(Key, ForeignKey("github_repositories.id", ondelete="CASCADE"))
    number: Mapped[int]
    kind: Mapped[str] = mapped_column(String(8))
    status: Mapped[str] = mapped_column(String(10), default="running")
    title: Mapped[str] = mapped_column(Text)
    url: Mapped[str] = mapped_column(Text)
    author: Mapped[str] = mapped_column(String(100))
    head_sha: Mapped[str] = mapped_column(String(64))
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    unread: Mapped[list[str]] = mapped_column(JSON, default=list)
    comment_id: Mapped[int | None] = mapped_column(BigInteger)
    provider: Mapped[str | None] = mapped_column(String(20))
    model_id: Mapped[str | None] = mapped_column(String(2048))
    input_tokens: Mapped[int] = mapped_column(default=0)
    output_tokens: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(Time)
    completed_at: Mapped[datetime | None] = mapped_column(Time)

    repository: Mapped[Repository] = relationship(lazy="joined")

    @property
    def repository_name(self) -> str:
        return self.repository.name

    @property
    def answer(self) -> dict[str, Any]:
        """What the sherpa said, nothing where it has not spoken yet."""
        return self.result or {}

    @property
    def summary(self) -> str:
        return str(self.answer.get("summary", ""))

    @property
    def findings(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.answer.get("findings", [])
        return found

    @property
    def quality_score(self) -> int | None:
        return self.answer.get("quality_score")

    @property
    def security_risk(self) -> str | None:
        return self.answer.get("security_risk")
