"""The field types of the contract, and the envelope as a schema for the documentation."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from operator import attrgetter
from typing import Any

import orjson
from marshmallow import Schema, ValidationError, fields, validate

from codesherpa import emails
from codesherpa.database import LARGEST_KEY

SURROGATES = re.compile("[\ud800-\udfff]")
# What Text refuses, for the document: NUL anywhere, and white space (as str.strip sees it) alone.
WITHOUT_NUL = r"^[^\u0000]*$"
WITH_INK = (
    r"^[^\u0000]*[^\u0000\u0009-\u000d\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
    r"[^\u0000]*$"
)


class Text(fields.String):
    """Text that a database can keep: valid Unicode without NUL, `least` to `most` characters.

    White space alone is refused where `least` is above 0; `strip` takes it off both ends.
    """

    def __init__(
        self, *, least: int = 1, most: int, strip: bool = False, metadata: Mapping[str, Any] = {}, **kwargs: Any
    ) -> None:
        self.least, self.most, self.strip = least, most, strip
        # What has a format is described by that.
        documented = metadata if "format" in metadata else {"pattern": WITH_INK if least else WITHOUT_NUL, **metadata}
        super().__init__(validate=validate.Length(min=least, max=most), metadata=documented, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if "\0" in text:
            raise ValidationError("Must not contain NUL.")
        if SURROGATES.search(text):
            raise ValidationError("Must be valid Unicode.")
        if self.least and not text.strip():
            raise ValidationError("Must not be empty.")
        if len(text) > self.most:  # The document counts white space, so it is counted before it is taken off.
            raise ValidationError(f"Longer than maximum length {self.most}.")
        return text.strip() if self.strip else text


class Whole(fields.Integer):
    """A whole number in JSON: no text, no truth value, no fraction."""

    def __init__(self, *, least: int, most: int, **kwargs: Any) -> None:
        super().__init__(strict=True, validate=validate.Range(min=least, max=most), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class WholeText(Whole):
    """A whole number in a query, where everything is text."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        if not isinstance(value, str) or not value.isascii() or not value.isdigit() or len(value) > 19:
            raise self.make_error("invalid")
        return int(value)


class IdText(WholeText):
    """The id of something in a query."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(least=1, most=LARGEST_KEY, **kwargs)


class Id(Whole):
    """The id of something."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(least=1, most=LARGEST_KEY, **kwargs)


class Fraction(fields.Float):
    """A number in JSON, whole or not."""

    def __init__(self, *, least: float, most: float, **kwargs: Any) -> None:
        super().__init__(validate=validate.Range(min=least, max=most), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.make_error("invalid")
        return float(value)


class Email(Text):
    """An email address in its normal form."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(most=emails.LONGEST, strip=True, metadata={"format": "email"}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return emails.normal(text)
        except ValueError as error:
            raise ValidationError("Not a valid email address.") from error


class Timestamp(fields.Field[datetime]):
    """A time in UTC, RFC 3339, ending in Z."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"type": "string", "format": "date-time"}, **kwargs)

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return self.text(value)

    @staticmethod
    def text(value: datetime | str | None) -> str | None:
        if value is None or isinstance(value, str):
            return value
        return (value if value.tzinfo is UTC else value.astimezone(UTC)).isoformat()[:-6] + "Z"


class Stored(fields.Nested):
    """JSON that is stored in the very shape that it is shown in, so that only the document looks into it."""

    def _serialize(  # type: ignore[override]  # The two above it differ in the name.
        self, nested_obj: Any, attr: str | None, obj: Any, **kwargs: Any
    ) -> Any:
        return nested_obj


class OneOf(fields.Field[Any]):
    """A value that has one of several `shapes`, and comes in it already."""

    shapes: tuple[type[Schema], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """How an answer is made: the order of its `keys`, which `read` gives from an object; and what is not as it is read.

    `times` are made text where they are not yet, and what is `made` comes from the object itself.
    """

    order: dict[str, Any]
    keys: list[str]
    read: Callable[[Any], Any]
    times: list[str]
    made: list[tuple[str, Callable[[Any], Any]]]


class Item(Schema):
    """What stands in a list, many times over: an object whose attributes are its fields.

    Dumping reads them without marshmallow's search in mappings and paths, which takes five times as long.
    """

    AS_STORED = (fields.String, fields.Integer, fields.Float, fields.Boolean, Id, Stored, OneOf)

    @cached_property
    def plan(self) -> Plan:
        """Return how an answer is made; worked out at the first."""
        named = [(field.data_key or name, field.attribute or name, field) for name, field in self.dump_fields.items()]
        plain = [one for one in named if type(one[2]) in (*self.AS_STORED, Timestamp)]
        # A reader of one attribute alone would give it bare.
        read = attrgetter(*(attribute for _, attribute, _ in plain), "__class__")
        return Plan(
            order=dict.fromkeys(key for key, _, _ in named),
            keys=[key for key, _, _ in plain],
            read=read,
            times=[key for key, _, field in plain if type(field) is Timestamp],
            made=[(key, self.maker(name, field)) for key, name, field in named if (key, name, field) not in plain],
        )

    def maker(self, name: str, field: fields.Field[Any]) -> Callable[[Any], Any]:
        """Return what makes the value of a field from an object."""
        if isinstance(field, fields.Function) and (call := field.serialize_func):
            return lambda found: call(found)
        if isinstance(field, fields.List) and isinstance(field.inner, fields.Nested):
            one = field.inner.schema.dump
            return lambda found: [one(item) for item in getattr(found, name)]
        if isinstance(field, fields.Nested) and not field.many:
            shape = field.schema.dump
            return lambda found: (
                None if (inner := opened(getattr(found, field.attribute or name))) is None else shape(inner)
            )
        return lambda found: field.serialize(name, found, accessor=self.get_attribute)

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        return getattr(obj, attr, default)

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        if many:
            return [self.dump(one) for one in obj]
        plan = self.plan
        answer: dict[str, Any] = plan.order.copy()
        answer.update(zip(plan.keys, plan.read(obj), strict=False))
        for key in plan.times:
            if answer[key].__class__ is not str:
                answer[key] = Timestamp.text(answer[key])
        for key, make in plan.made:
            answer[key] = make(obj)
        return answer


def opened(value: Any) -> Any:
    """Return what is to be looked into, where a row holds it as the JSON that is stored."""
    return orjson.loads(orjson.dumps(value)) if isinstance(value, orjson.Fragment) else value


@cache
def enveloped(shape: type[Schema] | None) -> Schema:
    """Return the schema of an answer whose data is `shape`, or null; one for each, so that it has one name."""
    name = f"{shape.__name__}Answer" if shape else "Acknowledgement"
    data = fields.Nested(shape, required=True) if shape else fields.Raw(required=True, metadata={"enum": [None]})
    members: dict[str, Any] = {
        "success": fields.Boolean(required=True, metadata={"enum": [True]}),
        "data": data,
        "message": fields.String(required=True),
    }
    return Schema.from_dict(members, name=name)()


def chat() -> Schema:
    from codesherpa.chat.schemas import Chat

    return Chat()


class ErrorData(Schema):
    """What an error carries."""

    code = fields.String(required=True, metadata={"description": "A word for machines"})
    request_id = fields.String(required=True)
    errors = fields.Dict(
        keys=fields.String(), values=fields.List(fields.String()), metadata={"description": "Sentences by field"}
    )
    retry_after = fields.Integer(metadata={"description": "Whole seconds, as in the header Retry-After"})
    chat = fields.Nested(chat, metadata={"description": "Of a model's fault: the chat with the text so far"})


class Failure(Schema):
    """The envelope of an error."""

    success = fields.Boolean(required=True, metadata={"enum": [False]})
    data = fields.Nested(ErrorData, required=True)
    message = fields.String(required=True)
