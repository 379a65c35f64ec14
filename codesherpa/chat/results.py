"""A reply as data: what stands in a chat's `result`, by its `kind`."""

from marshmallow import Schema, fields, validate

from codesherpa.schema import OneOf, Whole

SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW")
RISKS = ("None", "Low", "High")


class ReplyResult(Schema):
    """An answer in prose."""

    kind = fields.String(required=True, validate=validate.Equal("reply"))
    reply = fields.String(required=True, metadata={"description": "Markdown"})


class Finding(Schema):
    """Something that a review found."""

    severity = fields.String(required=True, validate=validate.OneOf(SEVERITIES))
    file = fields.String(required=True, metadata={"description": "The name given, else code_context or message"})
    line = Whole(required=True, least=1, most=2**31, metadata={"description": "Within that code, from 1"})
    issue = fields.String(required=True)
    suggestion = fields.String(required=True)
    code_fix = fields.String(required=True, allow_none=True)


class ReviewResult(Schema):
    """A review: what was found, and what it comes to."""

    kind = fields.String(required=True, validate=validate.Equal("review"))
    summary = fields.String(required=True)
    findings = fields.List(fields.Nested(Finding), required=True)
    quality_score = Whole(required=True, least=1, most=10)
    security_risk = fields.String(
        required=True, validate=validate.OneOf(RISKS), metadata={"description": "A string, `None` too"}
    )


class KeyConcept(Schema):
    """A term that an explanation rests on."""

    term = fields.String(required=True)
    definition = fields.String(required=True)


class ExplanationResult(Schema):
    """An explanation, in steps that build on one another."""

    kind = fields.String(required=True, validate=validate.Equal("explanation"))
    explanation = fields.String(required=True, metadata={"description": "Markdown"})
    learning_steps = fields.List(fields.String(), required=True)
    key_concepts = fields.List(fields.Nested(KeyConcept), required=True)
    analogy = fields.String(required=True)


class Result(OneOf):
    """A reply as data."""

    shapes = (ReplyResult, ReviewResult, ExplanationResult)
