"""A stand-in for an OpenTelemetry collector: takes OTLP over HTTP on a local port and keeps the spans."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PATIENCE = 20.0


@dataclass(frozen=True)
class Span:
    name: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any]


class Collector:
    """Spans as they arrive."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.services: set[str] = set()
        self.arrived = threading.Condition()
        self.url = ""

    def take(self, body: bytes) -> None:
        sent = ExportTraceServiceRequest.FromString(body)
        with self.arrived:
            for resource in sent.resource_spans:
                self.services |= {
                    one.value.string_value for one in resource.resource.attributes if one.key == "service.name"
                }
                for scope in resource.scope_spans:
                    self.spans += [read(span) for span in scope.spans]
            self.arrived.notify_all()

    def until(self, name: str, **where: Any) -> Span:
        """Wait for a span of that name and those attributes or that trace, and return it."""
        with self.arrived:
            found = self.arrived.wait_for(lambda: self.find(name, where), PATIENCE)
            assert found, f"no {name} among {sorted({span.name for span in self.spans})}"
            return found

    def find(self, name: str, where: dict[str, Any]) -> Span | None:
        named = (span for span in self.spans if span.name == name)
        return next(
            (span for span in named if where.items() <= (span.attributes | {"trace": span.trace}).items()), None
        )


def read(span: Any) -> Span:
    attributes = {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}
    return Span(span.name, span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(), attributes)


@contextmanager
def running() -> Iterator[Collector]:
    """Serve on a free port until the block ends."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.take(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
