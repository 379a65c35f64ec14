"""The envelope, and the versioned blueprint that wraps every answer and its documentation in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import wraps
from threading import RLock
from typing import Any, NoReturn

import flask
from apispec import APISpec
from flask import Response, current_app, jsonify, request
from flask_smorest import Api, Blueprint
from flask_smorest.spec import openapi_cli
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.routing import IntegerConverter

from codesherpa.database import LARGEST_KEY
from codesherpa.docs.document import OTHERWISE, Operations, Shapes, register_errors
from codesherpa.observability.requests import request_id
from codesherpa.schema import Failure, enveloped


def bearer(description: str) -> dict[str, str]:
    return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": description}


SMALL_BODY = 16_384  # Bytes of JSON that is read whatever it is made of.
MOST_VALUES = 1_000  # In the JSON of a client; no body that is taken has twenty.
PREFIX = "/api/v1"
VERSION = "1.0"
DOCUMENT = {
    "API_TITLE": "CodeSherpa",
    "API_VERSION": VERSION,
    "OPENAPI_VERSION": "3.0.3",
    "OPENAPI_URL_PREFIX": PREFIX,
    "OPENAPI_JSON_PATH": "openapi.json",
    "API_SPEC_OPTIONS": {
        "info": {
            "description": (
                "`POST /api/v1/auth/login` gives the tokens; **Authorize** takes the `access_token`. Every answer is "
                "an envelope of `success`, `data` and `message`; an error's `data.code` is its word for a machine. "
                "Replies come word by word over Socket.IO, namespace `/ws`."
            )
        },
        "security": [{"accessToken": []}],
        "components": {
            "securitySchemes": {
                "accessToken": bearer("The `access_token` of the sign-in or the last refresh."),
                "refreshToken": bearer("The `refresh_token`; for `POST /api/v1/auth/refresh` alone."),
            }
        },
    },
}
View = Callable[..., Any]


def envelope(data: Any, message: str, *, success: bool = True) -> dict[str, Any]:
    """Wrap what is told to a caller, over HTTP or a socket; the only place that knows the three keys."""
    return {"success": success, "data": data, "message": message}


def refusal(code: str, message: str, data: Mapping[str, Any] = {}) -> dict[str, Any]:
    """Wrap an error: its code, this request's id, and what else belongs to it."""
    return envelope({"code": code, "request_id": request_id(), **data}, message, success=False)


def failure(status: int, code: str, message: str, data: Mapping[str, Any]) -> Response:
    """Answer a request with an error."""
    response = jsonify(refusal(code, message, data))
    response.status_code = status
    return response


class Id(IntegerConverter):
    """An id in a path; what no database key can be, or is one written otherwise, does not match: it is not found."""

    regex = "[1-9][0-9]*"  # Not 007, and no digits of other scripts, which Python takes for numbers.

    def __init__(self, url_map: Any) -> None:
        super().__init__(url_map, min=1, max=LARGEST_KEY)


class Parser(FlaskParser):
    """Reads arguments so that each fault keeps its own kind."""

    DEFAULT_VALIDATION_STATUS = 400

    def load_json(self, req: flask.Request, schema: Schema) -> Any:
        body = req.get_data(cache=True)
        if req.content_length is None and len(body) >= flask.current_app.config["MAX_CONTENT_LENGTH"]:
            raise RequestEntityTooLarge  # Of a body in chunks Werkzeug gives as much as may be, and does not say so.
        if not req.is_json and (body or req.mimetype):
            raise UnsupportedMediaType
        return loads(body)

    def load_querystring(self, req: flask.Request, schema: Schema) -> Any:
        return req.args.to_dict()  # Of a name that comes twice the first counts; nothing takes a list.

    def handle_error(self, error: ValidationError, *args: Any, **kwargs: Any) -> NoReturn:
        messages = error.messages
        # webargs files the messages under the place they came from: {"json": {"name": [...]}}.
        raise ValidationError(next(iter(messages.values())) if isinstance(messages, dict) else messages)


class TooMuch(BadRequest):
    """JSON that is not read: nested too deep, with a number of too many digits, or of too many values."""


def loads(body: bytes, most: int = MOST_VALUES) -> dict[str, Any]:
    """Read a JSON object of some `most` values, by the standard: no NaN, no Infinity.

    Raises BadRequest for anything else, however deep or long, TooMuch where that alone is why.
    """
    if len(body) > SMALL_BODY and not has_few_values(body, most):
        raise TooMuch
    try:
        value = json.loads(body, parse_constant=refuse_constant)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadRequest from error
    except (ValueError, RecursionError) as error:
        raise TooMuch from error
    if not isinstance(value, dict):
        raise BadRequest
    return value


def has_few_values(body: bytes, most: int) -> bool:
    """Return True if JSON has at most `most` strings, and no more other values than that.

    A megabyte of `[],[],` or of unknown fields takes the worker half a second, where that much text takes a hundredth.
    """
    # Strings hold any sign, so only what stands between them is counted.
    parts = body.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"', 2 * most)
    return (
        len(parts) <= 2 * most and sum(part.count(sign) for part in parts[::2] for sign in (b",", b"[", b"{")) <= most
    )


def refuse_constant(name: str) -> NoReturn:
    raise BadRequest(f"{name} is not JSON")


class VersionedApi(Api):
    """The OpenAPI document of what stands under /api/v1; errors are answered by errors.py, not here.

    The document is built when it is first asked for: building it takes longer than all other steps of `create_app`.
    """

    ERROR_SCHEMA = Failure
    DEFAULT_ERROR_RESPONSE_NAME = OTHERWISE

    def __init__(self) -> None:
        self._building = RLock()  # Reentrant: flask-smorest reads `spec` while it builds it.
        self._spec: APISpec | None = None
        self._spec_options: dict[str, Any] = {}
        self._documented: list[Blueprint] = []
        super().__init__()

    @property
    def spec(self) -> Any:
        """The document of the latest application, None before there is one. Threads that ask wait for one build."""
        with self._building:
            if self._spec is None and self._app is not None:
                try:
                    self._build()
                except BaseException:
                    self._spec = None  # The next request reports the same error, and serves no half of a document.
                    raise
            return self._spec

    @spec.setter
    def spec(self, spec: Any) -> None:
        self._spec = spec

    def init_app(self, app: flask.Flask, *, spec_kwargs: dict[str, Any] | None = None) -> None:
        with self._building:
            self._documented = []
            super().init_app(app, spec_kwargs=spec_kwargs)

    def register_blueprint(self, blp: Blueprint) -> None:
        """Register a blueprint in the application, and note it for the document."""
        self._app.extensions["flask-smorest"]["blp_name_to_api"][blp.name] = self
        self._app.register_blueprint(blp)
        self._documented.append(blp)

    def _init_spec(self, **options: Any) -> None:
        self._spec, self._spec_options = None, options
        self._app.cli.add_command(openapi_cli)

    def _build(self) -> None:
        plugins = {"marshmallow_plugin": Shapes(), "extra_plugins": [Operations()]}
        super()._init_spec(**plugins | self._spec_options)
        for blueprint in self._documented:
            blueprint.register_views_in_doc(self, self._app, self.spec, name=blueprint.name, parameters=None)
            self.spec.tag({"name": blueprint.name, "description": blueprint.description})

    def _register_error_handlers(self) -> None:
        pass

    def _register_responses(self) -> None:
        register_errors(self.spec, self.ERROR_SCHEMA)

    def _register_pagination_header(self) -> None:
        pass  # Pages are told in the body.


def answering() -> View | None:
    """Return the view that answers this request, None where there is none."""
    asked: flask.Request = request._get_current_object()  # type: ignore[attr-defined]  # Each look at a proxy costs.
    view = current_app.view_functions.get(asked.endpoint or "")
    found: View | None = getattr(getattr(view, "view_class", None), asked.method.lower(), view)
    return found


def public(view: View) -> View:
    """Let a view be called without a token."""
    return guarded(view, None, [])


def refreshing(view: View) -> View:
    """Let a view be called with a refresh token, and nothing else."""
    return guarded(view, "refresh", [{"refreshToken": []}])


def guarded(view: View, token: str | None, documented: list[dict[str, Any]]) -> View:
    """Mark a view with the type of token that it wants, for the guard and for the document."""
    view.guard = token  # type: ignore[attr-defined]
    view._apidoc = {**getattr(view, "_apidoc", {}), "manual_doc": {"security": documented}}  # type: ignore[attr-defined]
    return view


class ApiBlueprint(Blueprint):
    """A feature under /api/v1: guarded unless a view says otherwise, answered in the envelope."""

    ARGUMENTS_PARSER = Parser()

    def __init__(self, name: str, import_name: str, *, path: str | None = None, description: str = "") -> None:
        super().__init__(name, import_name, url_prefix=f"{PREFIX}/{path or name}", description=description)

    def arguments(self, schema: type[Schema], **kwargs: Any) -> Callable[[View], View]:
        """Load the arguments of a view by `schema`, which is made once, not at each request."""
        decorate: Callable[[View], View] = super().arguments(schema(), **kwargs)
        return decorate

    def response(
        self, status_code: int, schema: type[Schema] | None = None, *, message: str = "Done.", **documentation: Any
    ) -> Callable[[View], View]:
        """Answer with what the view returns, dumped by `schema`, in the envelope with `message`.

        A view may return (result, status) where it has two successful statuses.
        """
        shape = schema() if schema else None
        document = super().response(status_code, enveloped(schema), **documentation)

        def decorate(view: View) -> View:
            @wraps(view)
            def answer(*args: Any, **kwargs: Any) -> Any:
                result = view(*args, **kwargs)
                if isinstance(result, Response):
                    return result
                result, status = result if isinstance(result, tuple) else (result, status_code)
                response = jsonify(envelope(shape.dump(result) if shape else None, message))
                response.status_code = status
                return response

            documented: View = document(answer)
            return documented

        return decorate
