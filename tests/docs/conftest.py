"""How many requests were generated, at the end of the report."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    if sent := sum(dict(report.user_properties).get("requests sent", 0) for report in reports):
        terminalreporter.write_line(f"{sent:,} requests were generated and their answers checked")
