"""Write the Grafana dashboard: `python -m deploy.dashboard`. It reads easier here than in a thousand lines of JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "grafana" / "codesherpa.json"
WIDTH, HEIGHT = 8, 7


def quantile(share: float, metric: str, by: str = "", where: str = "") -> str:
    grouped = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({grouped}) (rate({metric}_bucket{where}[$__rate_interval])))"


def rate(metric: str, by: str = "", where: str = "") -> str:
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped} (rate({metric}{where}[$__rate_interval]))"


# A row for each part, and in it traffic, errors, latency and saturation: title, unit, and what is drawn by what name.
ROWS: dict[str, list[tuple[str, str, dict[str, str]]]] = {
    "Requests": [
        ("Requests a second", "reqps", {"{{route}}": rate("codesherpa_request_seconds_count", "route")}),
        (
            "Refused and failed",
            "reqps",
            {"{{status}}": rate("codesherpa_request_seconds_count", "status", '{status=~"4..|5.."}')},
        ),
        (
            "Time to answer, but for the chat",
            "s",
            {
                "p50": quantile(0.5, "codesherpa_request_seconds", where='{route!~"/api/v1/chat.*"}'),
                "p99": quantile(0.99, "codesherpa_request_seconds", where='{route!~"/api/v1/chat.*"}'),
            },
        ),
        ("Under way", "short", {"{{instance}}": "codesherpa_requests_under_way"}),
        (
            "How late a worker is",
            "s",
            {"{{instance}} p99": quantile(0.99, "codesherpa_late_seconds", "instance")},
        ),
        ("Work in native threads, and waiting for one", "short", {"{{instance}}": "codesherpa_native_under_way"}),
        (
            "Time of work in native threads",
            "s",
            {"p50": quantile(0.5, "codesherpa_native_seconds"), "p99": quantile(0.99, "codesherpa_native_seconds")},
        ),
        ("Work that waits for a place", "short", {"{{instance}} {{place}}": "codesherpa_native_waiting"}),
        ("Jobs of child processes", "ops", {"{{outcome}}": rate("codesherpa_child_jobs_total", "outcome")}),
        ("Memory", "bytes", {"{{instance}}": "codesherpa_memory_bytes"}),
        (
            "Open file descriptors",
            "percentunit",
            {"{{instance}}": "codesherpa_descriptors / codesherpa_descriptors_most"},
        ),
    ],
    "Sockets": [
        ("Sockets", "short", {"{{instance}}": "codesherpa_sockets"}),
        ("Events a second", "ops", {"{{event}}": rate("codesherpa_event_seconds_count", "event")}),
        ("Events refused", "ops", {"{{code}}": rate("codesherpa_event_seconds_count", "code", '{code!="ok"}')}),
        ("Time to handle an event", "s", {"{{event}} p99": quantile(0.99, "codesherpa_event_seconds", "event")}),
    ],
    "Replies": [
        ("Replies a second", "ops", {"{{status}}": rate("codesherpa_reply_seconds_count", "status")}),
        ("Being written", "short", {"{{instance}}": "codesherpa_replies_writing"}),
        (
            "Time to a model's first word",
            "s",
            {
                "p50": quantile(0.5, "codesherpa_model_first_token_seconds"),
                "p90": quantile(0.9, "codesherpa_model_first_token_seconds"),
            },
        ),
        ("Time to write a reply", "s", {"{{agent}} p90": quantile(0.9, "codesherpa_reply_seconds", "agent")}),
        ("Tokens a second", "short", {"{{model}} {{kind}}": rate("codesherpa_model_tokens_total", "model, kind")}),
        ("Faults of models", "ops", {"{{code}}": rate("codesherpa_model_faults_total", "code")}),
        ("Budgets spent", "ops", {"refused": rate("codesherpa_budget_refusals_total")}),
    ],
    "Database": [
        ("Statements a second", "ops", {"statements": rate("codesherpa_query_seconds_count")}),
        ("Faults", "ops", {"{{kind}}": rate("codesherpa_query_faults_total", "kind")}),
        (
            "Time for a statement",
            "s",
            {"p50": quantile(0.5, "codesherpa_query_seconds"), "p99": quantile(0.99, "codesherpa_query_seconds")},
        ),
        (
            "Connections in use",
            "percentunit",
            {"{{instance}}": "codesherpa_connections_in_use / codesherpa_connections_most"},
        ),
    ],
    "Webhooks and Redis": [
        ("Jobs, by how the try ended", "ops", {"{{kind}} {{end}}": rate("codesherpa_jobs_total", "kind, end")}),
        (
            "WhatsApp's messages, by how the try ended",
            "ops",
            {"{{end}} {{code}}": rate("codesherpa_whatsapp_sends_total", "end, code")},
        ),
        ("Redis away", "bool_yes_no", {"{{instance}}": "codesherpa_redis_away"}),
    ],
}


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana reads it."""
    panels: list[dict[str, Any]] = []
    top = 0
    for row, graphs in ROWS.items():
        panels.append(panel(len(panels), "row", row, {"h": 1, "w": 24, "x": 0, "y": top}))
        top += 1
        for number, (title, unit, drawn) in enumerate(graphs):
            place = {"h": HEIGHT, "w": WIDTH, "x": number % 3 * WIDTH, "y": top + number // 3 * HEIGHT}
            panels.append(panel(len(panels), "timeseries", title, place) | graph(unit, drawn))
        top += -(-len(graphs) // 3) * HEIGHT
    return {
        "uid": "codesherpa",
        "title": "CodeSherpa",
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "panels": panels,
    }


def panel(id: int, kind: str, title: str, place: dict[str, int]) -> dict[str, Any]:
    return {"id": id + 1, "type": kind, "title": title, "gridPos": place}


def graph(unit: str, drawn: dict[str, str]) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "prometheus"}
    targets = [
        {"refId": chr(65 + number), "expr": expression, "legendFormat": name, "datasource": source}
        for number, (name, expression) in enumerate(drawn.items())
    ]
    return {"datasource": source, "fieldConfig": {"defaults": {"unit": unit}, "overrides": []}, "targets": targets}


def text() -> str:
    return json.dumps(dashboard(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
