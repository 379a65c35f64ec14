"""A project as it is sent and received."""

from marshmallow import Schema, fields, validate

from codesherpa.paging import PageInfo
from codesherpa.schema import Id, Item, Text, Timestamp

# An owner has at most 39 letters, digits and inner hyphens; a repository 100 of its own letters, and is no folder.
LETTERS = r"^[A-Za-z0-9][A-Za-z0-9-]{0,38}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}"
REPOSITORY = validate.Regexp(LETTERS + r"\Z", error="Must be written as owner/name.")
# JavaScript, whose patterns the document speaks, knows no \Z; its $ means the same.
IN_THE_DOCUMENT = LETTERS + "$"


class ProjectChanges(Schema):
    """What can be changed of a project; null clears what may be empty."""

    name = Text(most=120, strip=True)
    description = Text(least=0, most=10_000, allow_none=True)
    instructions = Text(least=0, most=20_000, allow_none=True)
    repository = fields.String(allow_none=True, validate=REPOSITORY, metadata={"pattern": IN_THE_DOCUMENT})


class NewProject(ProjectChanges):
    """A project to be."""

    name = Text(required=True, most=120, strip=True)


class Project(Item):
    """A project."""

    id = Id(required=True)
    name = fields.String(required=True)
    description = fields.String(required=True, allow_none=True)
    instructions = fields.String(required=True, allow_none=True)
    repository = fields.String(required=True, allow_none=True)
    user_id = Id(required=True)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


class ProjectPage(PageInfo):
    """A page of projects, newest first."""

    projects = fields.List(fields.Nested(Project), required=True, attribute="items")
