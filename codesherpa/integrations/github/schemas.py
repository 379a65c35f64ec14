"""A review of a pull request as it is sent."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from codesherpa.chat.results import Finding
from codesherpa.paging import PageInfo
from codesherpa.schema import Id, Item, Timestamp


class Review(Item):
    """A review of a pull request on GitHub."""

    id = Id(required=True)
    repository = fields.String(required=True, attribute="repository_name", metadata={"description": "owner/name"})
    number = fields.Integer(required=True, metadata={"description": "of the pull request"})
    title = fields.String(required=True)
    url = fields.String(required=True)
    author = fields.String(required=True)
    head_sha = fields.String(required=True, metadata={"description": "the commit that was read"})
    status = fields.String(required=True, validate=validate.OneOf(("running", "complete", "failed", "superseded")))
    summary = fields.String(required=True)
    findings = fields.List(fields.Nested(Finding), required=True)
    quality_score = fields.Integer(required=True, allow_none=True, metadata={"description": "1-10"})
    security_risk = fields.String(required=True, allow_none=True, validate=validate.OneOf(("None", "Low", "High")))
    unread = fields.List(fields.String(), required=True, metadata={"description": "what was not read, and why"})
    created_at = Timestamp(required=True)
    completed_at = Timestamp(required=True, allow_none=True)


class ReviewPage(PageInfo):
    """A page of reviews, newest first."""

    reviews = fields.List(fields.Nested(Review), required=True, attribute="items")
    viewer = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "What to put under `viewers` of a private repository to see its reviews here"},
    )


class ReviewEvent(Schema):
    """A review of a repository that one of your projects names has begun or ended."""

    type = fields.String(required=True, validate=validate.Equal("review"), metadata={"enum": ["review"]})
    project_id = Id(required=True)
    review = fields.Nested(Review, required=True)
