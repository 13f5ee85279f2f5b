"""Draw the distributions of a drift result: those of the baseline, and those of the compared period (the window)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evaluation.figures import Theme, display_name

if TYPE_CHECKING:  # importing matplotlib takes a second, and data_drift.py imports this module
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from evaluation.data_drift import Figures

COLUMNS = 3
WIDTH, HEIGHT = 3.6, 2.5  # size of one plot in inches


def distributions(theme: Theme, found: Figures) -> Figure:
    """Draw each statistic, the predicted classes and the embedding; the titles say which properties have drifted."""
    from matplotlib.figure import Figure

    drifted = {change["name"] for change in found["changes"] if change["has_drifted"]}
    names = [
        *found["histograms"],
        "predicted class",
        *(["embedding"] if len(found["points"].get("window", ())) else []),
    ]
    rows = -(-len(names) // COLUMNS)
    figure = Figure(figsize=(WIDTH * COLUMNS, HEIGHT * rows + 0.5), layout="constrained")
    for number, name in enumerate(names, start=1):
        axes = figure.add_subplot(rows, COLUMNS, number)
        if name in found["histograms"]:
            draw_histogram(axes, theme, found, name)
        elif name == "embedding":
            draw_points(axes, theme, found)
        else:
            draw_classes(axes, theme, found)
        axes.set_title(f"{display_name(name)}{': drifted' if name in drifted else ''}", fontsize=10)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def draw_histogram(axes: Axes, theme: Theme, found: Figures, name: str) -> None:
    """Draw both distributions of a statistic as proportions of images: the baseline filled, the window as a line."""
    content = found["histograms"][name]
    baseline, window = (np.array(counts) / max(sum(counts), 1) for counts in (content["baseline"], content["window"]))
    axes.stairs(baseline, content["edges"], fill=True, color=theme.grid, label="baseline")
    axes.stairs(window, content["edges"], color=theme.accent, linewidth=1.8, label="window")
    axes.set_ylabel("share of images", fontsize=8)


def draw_classes(axes: Axes, theme: Theme, found: Figures) -> None:
    """Draw the proportion of images that are predicted as each class."""
    positions = np.arange(len(found["classes"]))
    baseline, window = (np.array(found["predicted"][each]) for each in ("baseline", "window"))
    axes.bar(positions - 0.2, baseline / baseline.sum(), 0.4, color=theme.grid, label="baseline")
    axes.bar(
        positions + 0.2, window / window.sum(), 0.4, fill=False, edgecolor=theme.accent, hatch="//", label="window"
    )
    axes.set_xticks(positions, [display_name(name) for name in found["classes"]], rotation=30, ha="right", fontsize=8)


def draw_points(axes: Axes, theme: Theme, found: Figures) -> None:
    """Draw the first two components of the embeddings."""
    baseline, window = (np.array(found["points"][each]).reshape(-1, 2) for each in ("baseline", "window"))
    axes.scatter(baseline[:, 0], baseline[:, 1], s=10, marker="o", color=theme.muted, alpha=0.5, label="baseline")
    axes.scatter(window[:, 0], window[:, 1], s=14, marker="x", color=theme.accent, linewidths=0.8, label="window")
    axes.set_xlabel("first component", fontsize=8)
    axes.set_ylabel("second component", fontsize=8)
