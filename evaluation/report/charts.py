"""Figures that only the report shows. Markers, hatches and line styles distinguish series beside their colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from evaluation.figures import DASHED, Theme, make_axes

if TYPE_CHECKING:  # importing matplotlib takes a second
    from matplotlib.figure import Figure

DOTTED = (0, (1, 2))
DURATION_BINS = 30


def durations(theme: Theme, *, seconds: Sequence[float]) -> Figure:
    """Plot the distribution of the executions' durations, with the median and the 95th percentile."""
    figure, axes = make_axes(9.0, 2.6)
    axes.hist(seconds, bins=DURATION_BINS, color=theme.accent, edgecolor=theme.page, linewidth=0.6)
    for percentile, style in ((50, DASHED), (95, DOTTED)):
        value = float(np.percentile(seconds, percentile))
        axes.axvline(value, color=theme.ink, linewidth=1.6, linestyle=style, label=f"p{percentile}: {value:.2f} s")
    axes.set(xlim=(0, None), xlabel="Duration (seconds)", ylabel="Executions")
    axes.set_title(f"Duration of {len(seconds)} executions")
    axes.legend(loc="upper right")
    return figure
