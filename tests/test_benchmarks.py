"""The report of `make bench`, and what docs/deployment.md says by it."""

from __future__ import annotations

import re

from benchmarks import __main__ as bench
from config import ROOT


def test_what_deployment_says_of_its_size_is_what_the_report_says() -> None:
    report = ROOT / "benchmarks" / "report.md"
    said = bench.SUMMARY.search(bench.PAGE.read_text())

    assert said
    if report.exists():
        short = re.search(r"(?<=## In short\n).*?(?=## )", report.read_text(), re.S)
        assert short
        assert said[0].strip() == short[0].strip()
    else:
        assert said[0] == bench.NOT_YET


def test_a_part_that_fails_leaves_the_others_in_the_report() -> None:
    good = bench.Ran("rest", "GET / 1", [{"kind": "headline", "cells": ["a", "b", "c", "d"]}], 1.0)
    bad = bench.Ran("logins", "", [], 2.0, "failed: no server")

    report = bench.report([good, bad], {"rest": ["plots/rest.png"]})

    assert "| a | b | c | d |" in report
    assert "![rest](plots/rest.png)" in report
    assert "## REST" in report
    assert "**failed: no server**" in report


def test_bars_of_one_picture_are_drawn_together() -> None:
    lines = [{"kind": "bars", "picture": name, "title": title} for name, title in (("a", "1"), ("b", "2"), ("a", "3"))]

    drawn = bench.Ran("rest", "", lines, 1.0).pictures()

    assert [[one["title"] for one in panels] for panels in drawn.values()] == [["1", "3"], ["2"]]


def test_every_part_is_known_to_the_order_or_comes_last() -> None:
    found = bench.parts()

    assert found[: len(bench.ORDER)] == list(bench.ORDER)
    assert "listeners" not in found


def test_the_summary_takes_its_place_on_the_page() -> None:
    ran = [bench.Ran("rest", "", [{"kind": "headline", "cells": ["a", "b", "c", "d"]}], 1.0)]

    page = bench.SUMMARY.sub(lambda _: bench.summary(ran), bench.PAGE.read_text())
    report = re.search(r"(?<=## In short\n).*?(?=## )", bench.report(ran, {}), re.S)

    assert report
    assert bench.SUMMARY.search(page)[0].strip() == report[0].strip()  # type: ignore[index]
    assert bench.SUMMARY.sub(lambda _: bench.summary(ran), page) == page
