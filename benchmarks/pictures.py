"""Bars as PNG, with matplotlib (requirements-bench.txt)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

from benchmarks.record import written

INK, FAINT = "#1f2937", "#6b7280"
OURS, THEIRS = "#0f766e", "#b6c2c9"  # A reference is grey, whatever it is called.
SERIES, BETWEEN = 0.3, 0.22  # Inches: a bar, and the space after a label's last.


def draw(folder: Path, name: str, panels: list[Mapping[str, Any]]) -> str:
    """Draw a panel for each measure, one under the other; return the file's name within the folder."""
    heights = [1.0 + sum(len(series(value)) * SERIES + BETWEEN for value in one["values"].values()) for one in panels]
    figure, all_axes = plt.subplots(
        len(panels), squeeze=False, figsize=(8, sum(heights)), dpi=120, height_ratios=heights, layout="constrained"
    )
    figure.get_layout_engine().set(h_pad=0.15)
    for axes, one in zip(all_axes[:, 0], panels, strict=True):
        panel(axes, one["title"], one["unit"], one["values"])
    path = folder / "plots" / f"{name}.png"
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, metadata={"Software": None}, facecolor="white")
    plt.close(figure)
    return f"plots/{name}.png"


def series(value: Any) -> dict[str, float]:
    """Return the bars of a label by their names; one that is only a number is ours, and needs none."""
    return dict(value) if isinstance(value, Mapping) else {"": value}


def panel(axes: Any, title: str, unit: str, values: Mapping[str, Any]) -> None:
    """Draw horizontal bars, each with its number; the bars of one label stand together."""
    top, ticks, most = 0.0, [], 0.0
    for label, value in values.items():
        first = top
        for name, number in series(value).items():
            bar = axes.barh(top, number, height=0.85 * SERIES, color=OURS if name in ("", "codesherpa") else THEIRS)
            axes.bar_label(bar, [f"{written(number)}  {name}".rstrip()], padding=5, color=INK, fontsize=9)
            top, most = top + SERIES, max(most, number)
        ticks.append(((first + top - SERIES) / 2, label))
        top += BETWEEN
    axes.set_yticks([at for at, _ in ticks], [label for _, label in ticks], color=INK, fontsize=10)
    axes.set_xlim(0, 1.3 * most or 1)  # Room for the numbers at the right.
    axes.set_ylim(top - BETWEEN, -SERIES)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", colors=FAINT, labelsize=8)
    axes.set_xlabel(unit, fontsize=9, color=FAINT, loc="left")
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK)
