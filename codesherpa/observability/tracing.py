"""Traces for OpenTelemetry where OTEL_EXPORTER_OTLP_ENDPOINT is set; elsewhere nothing of it is even imported.

A trace begins with a request or a socket's event, goes over its queries, and goes on in the reply that it asked
for: the thread that writes it is another, so what belongs together is remembered by the chat's id.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from flask import Flask, Response, g, request
from sqlalchemy import Connection, Engine, ExceptionContext, event

from config import SettingError

T = TypeVar("T")

tracer: Any = None  # OpenTelemetry's, once it is wanted.
asked_for: dict[int, Any] = {}  # Where the replies of this process belong, by chat, until they are begun.
MOST_ASKED = 10_000  # A chat that another process takes up is never begun here.


def init_app(app: Flask) -> None:
    """Send traces to the collector that the settings name. Raises SettingError where the packages are missing."""
    global tracer
    endpoint = app.config["OTEL_EXPORTER_OTLP_ENDPOINT"]
    if not endpoint:
        return
    try:
        tracer = make_tracer(endpoint.rstrip("/"))
    except ImportError as error:
        hint = "pip install -r requirements-tracing.txt"
        raise SettingError(f"OTEL_EXPORTER_OTLP_ENDPOINT needs packages that are not here: {hint}") from error
    app.before_request(begin)
    app.after_request(answered)
    app.teardown_request(end)
    for name, listener in (("before_cursor_execute", ask), ("after_cursor_execute", told), ("handle_error", refused)):
        if not event.contains(Engine, name, listener):
            event.listen(Engine, name, listener)


def make_tracer(endpoint: str) -> Any:
    """Return a tracer; the sampler, the headers and the service's name come from OpenTelemetry's own variables."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = Resource.create({"service.name": "codesherpa"}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=named)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces")))
    trace.set_tracer_provider(provider)
    return provider.get_tracer("codesherpa")


def flush() -> None:
    """Send what has not been sent yet, within two seconds; for a process that ends."""
    if tracer is not None:
        from opentelemetry import trace

        provider: Any = trace.get_tracer_provider()
        provider.force_flush(2000)


@contextmanager
def span(name: str, parent: Any = None, **attributes: Any) -> Iterator[Any]:
    """Trace what happens inside; what is traced in it belongs to it. Gives None where nothing is traced."""
    if tracer is None:
        yield None
        return
    with tracer.start_as_current_span(name, parent, attributes=present(attributes)) as current:
        yield current


def note(current: Any, **attributes: Any) -> None:
    """Add to a span what is known only now."""
    if current is not None:
        current.set_attributes(present(attributes))


def present(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}


def follow(pieces: Generator[T], name: str, **attributes: Any) -> Generator[T]:
    """Yield what `pieces` do, traced; what the caller does in between belongs to the caller's own span."""
    if tracer is None:
        yield from pieces
        return
    current = tracer.start_span(name, attributes=present(attributes))
    try:
        yield from pieces
    except Exception as fault:
        current.record_exception(fault)
        current.set_status(error_status())
        raise
    finally:
        current.end()


def error_status() -> Any:
    from opentelemetry.trace import StatusCode

    return StatusCode.ERROR


def remember(chat_id: int) -> None:
    """Note that the reply to a chat belongs to what is being traced now."""
    if tracer is None:
        return
    from opentelemetry import context

    while len(asked_for) >= MOST_ASKED:
        asked_for.pop(next(iter(asked_for)))
    asked_for[chat_id] = context.get_current()


def recall(chat_id: int) -> Any:
    """Return what the reply to a chat belongs to, None where another process was asked for it."""
    return asked_for.pop(chat_id, None)


def trace_id() -> str | None:
    """Return the id of what is being traced now, for the log."""
    if tracer is None:
        return None
    from opentelemetry.trace import get_current_span

    found = get_current_span().get_span_context()
    return f"{found.trace_id:032x}" if found.is_valid else None


def begin() -> None:
    """Begin a request's span, within the caller's own trace where it names one."""
    from opentelemetry import context, propagate
    from opentelemetry.trace import SpanKind, set_span_in_context

    route = request.url_rule.rule if request.url_rule else "none"
    attributes = {"http.request.method": request.method, "http.route": route, "url.path": request.path}
    parent = propagate.extract({name.lower(): value for name, value in request.headers.items()})
    g.span = tracer.start_span(f"{request.method} {route}", parent, SpanKind.SERVER, attributes)
    g.span_token = context.attach(set_span_in_context(g.span, parent))


def answered(response: Response) -> Response:
    g.span.set_attribute("http.response.status_code", response.status_code)
    if response.status_code >= 500:
        g.span.set_status(error_status())
    return response


def end(_fault: BaseException | None) -> None:
    from opentelemetry import context

    if "span" in g:
        g.span.end()
        context.detach(g.span_token)


def ask(connection: Connection, _cursor: Any, statement: str, *_: object) -> None:
    """Begin a statement's span, where it belongs to one: what the sweep asks all day long is not traced."""
    from opentelemetry.trace import SpanKind, get_current_span

    if get_current_span().is_recording():
        verb = statement.split(None, 1)[0].upper()
        attributes = {"db.system.name": connection.dialect.name, "db.query.text": statement}
        connection.info["span"] = tracer.start_span(verb, kind=SpanKind.CLIENT, attributes=attributes)


def told(connection: Connection, *_: object) -> None:
    if current := connection.info.pop("span", None):
        current.end()


def refused(context: ExceptionContext) -> None:
    current = context.connection.info.pop("span", None) if context.connection else None
    if current:
        current.set_status(error_status())
        current.end()
