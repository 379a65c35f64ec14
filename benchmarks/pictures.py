"""Bars as PNG, with matplotlib (requirements-bench.txt)."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

INK, BAR = "#1f2937", "#0f766e"


def bars(folder: Path, name: str, title: str, unit: str, values: dict[str, float]) -> str:
    """Draw a horizontal bar for each label, its number beside it; return the file's name within the folder."""
    figure, axes = plt.subplots(figsize=(7, 0.9 + 0.42 * len(values)), dpi=110)
    drawn = axes.barh(list(values), list(values.values()), color=BAR, height=0.6)
    axes.bar_label(drawn, fmt="%.3g", padding=4, color=INK, fontsize=9)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.tick_params(axis="x", labelbottom=False, bottom=False)
    axes.set_title(f"{title}, {unit}", loc="left", fontsize=10, color=INK)
    figure.tight_layout()
    path = folder / "plots" / f"{name}.png"
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)
    return f"plots/{name}.png"
