"""Figures that only the report shows. Series differ in markers, hatches and line styles, not only in colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from common.terminal import counted
from evaluation.figures import DASHED, Theme
from evaluation.monitoring import Bucket
from evaluation.report.verdict import Accuracy

if TYPE_CHECKING:  # importing matplotlib takes a second
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTTED = (0, (1, 2))
STYLES = ("-", DASHED, DOTTED)
DURATION_BINS = 30
MIN_BARS = 12
SERIES_DISTANCE = 0.12  # horizontal distance, so that the intervals of one version do not cover each other


def durations(theme: Theme, *, seconds: Sequence[float]) -> Figure:
    """Plot the distribution of the executions' durations, with the median and the 95th percentile."""
    figure, axes = _axes(9.0, 2.6)
    axes.hist(seconds, bins=DURATION_BINS, color=theme.accent, edgecolor=theme.page, linewidth=0.6)
    for percentile, style in ((50, DASHED), (95, DOTTED)):
        value = float(np.percentile(seconds, percentile))
        axes.axvline(value, color=theme.ink, linewidth=1.6, linestyle=style, label=f"p{percentile}: {value:.2f} s")
    axes.set(xlim=(0, None), xlabel="Duration (seconds)", ylabel="Executions")
    axes.set_title(f"Duration of {counted(len(seconds), 'execution')}")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.26), ncols=2)
    return figure


def captures_over_time(theme: Theme, *, buckets: Sequence[Bucket], seconds: int) -> Figure:
    """Plot the number of predictions in each part of the time range; a hatch marks those below the threshold."""
    from matplotlib.ticker import MaxNLocator

    figure, axes = _axes(9.0, 3.0)
    starts = np.array([_naive(bucket["start"]) for bucket in buckets], dtype="datetime64[s]")
    low = np.array([bucket["below_threshold"] for bucket in buckets])
    high = np.array([bucket["records"] for bucket in buckets]) - low
    width = np.timedelta64(seconds, "s")
    outline: dict[str, Any] = {"width": width, "align": "edge", "edgecolor": theme.page, "linewidth": 0.6}
    axes.bar(starts, high, color=theme.classes[0], label="at or above the threshold", **outline)
    axes.bar(starts, low, bottom=high, color=theme.classes[1], hatch="////", label="below the threshold", **outline)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    # a few bars are not stretched over the whole plot
    margin = max(MIN_BARS - int((starts[-1] - starts[0]) / width), 0) / 2 + 1
    axes.set_xlim(starts[0] - margin * width, starts[-1] + width + margin * width)
    axes.set(xlabel="Time of the prediction (UTC)", ylabel="Predictions")
    axes.set_title(f"Predictions in each {format_period(seconds)}")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=2)
    return figure


def _naive(text: str) -> datetime:
    """Return a time in UTC without its time zone, because NumPy has no time zones."""
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)


def format_period(seconds: int) -> str:
    """Return a number of whole minutes, hours or days as text.

    Examples
    --------
    >>> format_period(60), format_period(6 * 3600), format_period(7 * 86400)
    ('minute', '6 hours', '7 days')
    """
    for unit, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds % unit == 0:
            return name if seconds == unit else f"{seconds // unit} {name}s"
    return f"{seconds} s"


def accuracies(theme: Theme, *, versions: Sequence[str], series: Mapping[str, Sequence[Accuracy | None]]) -> Figure:
    """Plot accuracies with their 95 % intervals by model version, one marker and line style for each series."""
    figure, axes = _axes(5.2, 3.8)
    for number, (name, values) in enumerate(series.items()):
        known = [(x, each, each.value) for x, each in enumerate(values) if each and each.value is not None]
        positions = [x + (number - (len(series) - 1) / 2) * SERIES_DISTANCE for x, _, _ in known]
        y = [value for _, _, value in known]
        # rounding can put the interval of 0 % or 100 % entirely to one side of the value
        spread = [
            [max(value - (each.interval or (value, value))[0], 0) for _, each, value in known],
            [max((each.interval or (value, value))[1] - value, 0) for _, each, value in known],
        ]
        colour = theme.classes[number]
        axes.errorbar(positions, y, yerr=spread, fmt="none", ecolor=colour, elinewidth=1.4, capsize=3)
        axes.plot(
            positions, y, marker="osD"[number], linestyle=STYLES[number], color=colour, markersize=7, label=name.lower()
        )
    axes.set_xticks(range(len(versions)), versions)
    axes.set(xlim=(-0.5, len(versions) - 0.5), xlabel="Model version", ylabel="Accuracy")
    axes.set_title("Accuracy by model version")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=3, columnspacing=1.2)
    return figure


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()
