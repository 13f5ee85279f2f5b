"""Draw the figures of the report and of monitoring, in a light and a dark theme.

The first six class colours of the light theme are from the palette of Okabe and Ito ("Color universal design", 2008),
which colour-blind viewers can distinguish. The dark theme uses two colours of this palette, and lighter variants of
other colours.
"""

from __future__ import annotations

import io
import textwrap
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from evaluation.metrics import CalibrationBin, CurvePoint

if TYPE_CHECKING:  # importing matplotlib takes a second, and most commands draw nothing
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FONTS = ["DejaVu Sans"]
WEB_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
MAX_CLASSES_WITH_COUNTS = 15  # with more classes, counts do not fit into the cells of a confusion matrix
MAX_CLASSES_WITH_LABELS_ON_ONE_SIDE = 30
MAX_MATRIX_INCHES = 17.0
TILES_PER_ROW = 6
CAPTION_CHARACTERS = 22  # number of characters that fit into a line above a tile
PLACEHOLDER_PIXELS = 32  # width and height of the grey tile for an invalid image
MAX_VECTOR_POINTS = 3000  # more points are drawn as a bitmap
LONG_LABEL_CHARACTERS = 26  # five labels of this length do not fit into one row of a legend
DASHED = (0, (4, 3))
SINGLE_TIME_MARGIN = np.timedelta64(30, "s")  # on both sides of the only time on a time axis
DASH_DOTTED = (0, (6, 1.5, 1, 1.5))


@dataclass(frozen=True)
class Theme:
    """The colours of a theme.

    Attributes
    ----------
    ink, muted : colours of text, and of secondary text
    grid, page : colours of lines, and of the background
    accent : colour of a single series
    classes : colours of classes and of other series
    """

    name: str
    ink: str
    muted: str
    grid: str
    page: str
    accent: str
    classes: tuple[str, ...]

    @property
    def settings(self) -> Any:  # `rc_context` does not accept a `dict[str, Any]`: the type of its keys is a Literal
        """Settings for matplotlib's `rc_context`."""
        text = dict.fromkeys(("text.color", "axes.titlecolor"), self.ink)
        labels = dict.fromkeys(("axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"), self.muted)
        lines = dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color", "grid.color"), self.grid)
        return {**SETTINGS, **text, **labels, **lines, "figure.facecolor": self.page, "axes.facecolor": "none"}


SETTINGS: dict[str, Any] = {
    "font.family": FONTS,
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "date.converter": "concise",
    "svg.fonttype": "none",
    "svg.hashsalt": "scones",
}
LIGHT = Theme(
    "light", "#1c2430", "#5b6673", "#dde2e8", "#ffffff", "#0072b2",
    ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f6f00", "#5e4fa2"),
)  # fmt: skip
DARK = Theme(
    "dark", "#e8ecf1", "#9ba7b5", "#343d49", "#171c23", "#56b4e9",
    ("#56b4e9", "#ff9e4a", "#2fc99a", "#e6a3c8", "#f0e442", "#8fa8ff", "#c9b458", "#b9a5f0"),
)  # fmt: skip


def display_name(class_name: str) -> str:
    """Return a class name with spaces in place of underscores."""
    return class_name.replace("_", " ")


def as_svg(draw: Callable[[Theme], Figure], theme: Theme) -> str:
    """Return a figure as SVG with a transparent background and the page's own fonts."""
    import matplotlib

    with matplotlib.rc_context(theme.settings), io.StringIO() as stream:
        draw(theme).savefig(stream, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None})
        return stream.getvalue().replace("'DejaVu Sans'", WEB_FONTS)


def as_png(draw: Callable[[Theme], Figure], theme: Theme = LIGHT) -> bytes:
    """Return a figure as PNG."""
    import matplotlib

    with matplotlib.rc_context(theme.settings), io.BytesIO() as stream:
        draw(theme).savefig(stream, format="png", dpi=160, bbox_inches="tight", pad_inches=0.2)
        return stream.getvalue()


def confidence_over_time(
    theme: Theme,
    *,
    times: Sequence[datetime],
    confidences: Sequence[float],
    names: Sequence[str],
    threshold: float,
    below: int,
    total: int,
) -> Figure:
    """Plot the confidence of predictions over time, by predicted class, with the threshold.

    Parameters
    ----------
    below, total : number of predictions below the threshold, and of all predictions, including those that are not
        plotted
    """
    figure, axes = _axes(9.0, 3.8)
    # NumPy has no time zones
    x = np.array([time.astimezone(UTC).replace(tzinfo=None) for time in times], dtype="datetime64[us]")
    y = np.array(confidences)
    for number, (name, members) in enumerate(_groups(names, len(theme.classes))):
        axes.scatter(
            x[members],
            y[members],
            s=22,
            marker="os^Dv"[number % 5],
            color=theme.classes[number % len(theme.classes)],
            alpha=0.75,
            linewidths=0,
            label=f"{display_name(name)} ({len(members)})",
            rasterized=len(times) > MAX_VECTOR_POINTS,
        )
    axes.axhline(threshold, color=theme.ink, linewidth=1.2, linestyle=DASHED, label=f"threshold {threshold:g}")
    axes.axhspan(0, threshold, color=theme.muted, alpha=0.09, linewidth=0)
    axes.set(ylim=(_axis_start(y), 1.015), ylabel="Confidence", xlabel="Time of the prediction (UTC)")
    if np.ptp(x) == np.timedelta64(0):
        # for a single time, matplotlib would choose a range of years
        axes.set_xlim(x[0] - SINGLE_TIME_MARGIN, x[0] + SINGLE_TIME_MARGIN)
    shown = f"; {len(y)} are shown" if len(y) < total else ""
    axes.set_title(f"{below} of {total} predictions are below the threshold{shown}")
    _legend_below(axes)
    return figure


def confusion(
    theme: Theme, *, matrix: Sequence[Sequence[int]], classes: Sequence[str], rows: Sequence[str] | None = None
) -> Figure:
    """Plot a confusion matrix with a row for each true label and a column for each predicted class.

    A cell's colour shows its proportion of the images in its row. The cells contain counts if there are at most
    `MAX_CLASSES_WITH_COUNTS` classes. If there are more classes, the colour scale is steeper, so that small proportions
    are visible.

    Parameters
    ----------
    rows : names of the true labels (default: the classes)
    """
    from matplotlib.colors import LinearSegmentedColormap, PowerNorm

    counts = np.array(matrix)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    has_counts = len(classes) <= MAX_CLASSES_WITH_COUNTS
    size = max(2.4 + 0.55 * len(classes), 3.4) if has_counts else 3.0 + 0.2 * len(classes)
    figure, axes = _axes(min(size, MAX_MATRIX_INCHES), min(size, MAX_MATRIX_INCHES))
    ramp = LinearSegmentedColormap.from_list("heat", [theme.page, theme.accent])
    axes.imshow(shares, cmap=ramp, norm=PowerNorm(1 if has_counts else 0.5, vmin=0, vmax=1), interpolation="nearest")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    _label_cells(axes, classes, rows or classes)
    if has_counts:
        _print_counts(axes, theme, counts, shares)
    else:
        _draw_cell_borders(axes, theme, counts.shape)
    axes.set(xlabel="Predicted", ylabel="True label")
    axes.set_title(f"{counts.diagonal().sum()} of {counts.sum()} images classified correctly")
    return figure


def reliability(theme: Theme, *, bins: Sequence[CalibrationBin], error: float) -> Figure:
    """Plot each bin's accuracy with its 95 % interval and, below it, the bin's share of the images.

    The horizontal position of a bin is its mean confidence, so the points of a calibrated model are on the diagonal.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    figure = Figure(figsize=(4.6, 4.6), layout="constrained")
    axes, sizes = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    x, y, n = (np.array([each[name] for each in bins]) for name in ("confidence", "accuracy", "n"))
    low, high = np.array([each["interval"] for each in bins]).T
    start = _axis_start(x)
    axes.plot([start, 1], [start, 1], color=theme.muted, linewidth=1, linestyle=DASHED)
    # rounding can put the interval of 0 % or 100 % entirely to one side of the value
    spread = [np.maximum(y - low, 0), np.maximum(high - y, 0)]
    axes.errorbar(x, y, yerr=spread, fmt="none", ecolor=theme.accent, elinewidth=1.2, alpha=0.45)
    axes.plot(x, y, "o", color=theme.accent, markersize=6)
    axes.set(xlim=(start, 1.02), ylim=(0, 1.02), ylabel="Accuracy")
    axes.set_title(f"Expected calibration error {error:.3f}")
    sizes.bar(x, n / n.sum(), width=(1.02 - start) / 40, color=theme.accent)
    sizes.set(ylim=(0, 1), xlabel="Mean confidence of the bin", ylabel="Images")
    sizes.yaxis.set_major_formatter(PercentFormatter(1))
    return figure


def coverage(theme: Theme, *, curve: Sequence[CurvePoint], threshold: float) -> Figure:
    """Plot coverage, and accuracy of the images at or above the threshold, for every threshold."""
    figure, axes = _axes(9.0, 3.4)
    x, covered, accuracy = _columns(curve)
    # every threshold up to the lowest confidence accepts all images
    x, covered, accuracy = (
        np.insert(values, 0, first) for values, first in ((x, 0), (covered, 1), (accuracy, accuracy[0]))
    )
    axes.step(x, accuracy, where="pre", color=theme.classes[0], linewidth=2, label="accuracy at or above the threshold")
    axes.step(x, covered, where="pre", color=theme.classes[1], linewidth=2, linestyle=DASH_DOTTED, label="coverage")
    axes.axvline(threshold, color=theme.ink, linewidth=1.2, linestyle=DASHED, label=f"threshold {threshold:g}")
    start = max(float(x[1]) - 0.02, 0.0)
    axes.set(xlim=(min(start, threshold - 0.02), 1.003), ylim=(0, 1.02), xlabel="Threshold", ylabel="Share of images")
    axes.set_title("Coverage and accuracy by threshold")
    _legend_below(axes)
    return figure


def accuracy_by_coverage(theme: Theme, *, curve: Sequence[CurvePoint], threshold: float, area: float) -> Figure:
    """Plot the accuracy of the accepted images against coverage.

    The risk is 1 - accuracy, so the shaded area above the curve is the area under the risk-coverage curve.

    Parameters
    ----------
    area : area under the risk-coverage curve
    """
    figure, axes = _axes(4.6, 4.6)
    x, covered, accuracy = _columns(curve)
    # extend the curve from the coverage of the highest threshold to coverage 0
    covered, accuracy = np.append(covered, 0.0), np.append(accuracy, accuracy[-1])
    axes.fill_between(covered, accuracy, 1, step="post", color=theme.classes[0], alpha=0.15, linewidth=0)
    axes.step(covered, accuracy, where="post", color=theme.classes[0], linewidth=2)
    accepting = np.flatnonzero(x >= threshold)
    if len(accepting):
        point = covered[accepting[0]], accuracy[accepting[0]]
        axes.plot(*point, "o", color=theme.ink, markersize=7, label=f"threshold {threshold:g}", zorder=3)
        axes.legend(loc="lower left")
    axes.set(xlim=(0, 1.02), ylim=(_axis_start(accuracy), 1.005), xlabel="Coverage", ylabel="Accuracy")
    axes.set_title(f"Area under the risk-coverage curve {area:.3f}")
    return figure


def epochs(theme: Theme, *, history: Sequence[Mapping[str, float]]) -> Figure:
    """Plot training and validation accuracy by epoch."""
    from matplotlib.ticker import MaxNLocator

    figure, axes = _axes(4.6, 3.4)
    x = np.arange(1, len(history) + 1)
    series = (("train_accuracy", "training (augmented)"), ("validation_accuracy", "validation"))
    for number, (name, label) in enumerate(series):
        y = [epoch.get(name, np.nan) for epoch in history]
        axes.plot(x, y, "os"[number] + "-", color=theme.classes[number], linewidth=2, markersize=5, label=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set(xlabel="Epoch", ylabel="Accuracy")
    axes.set_title("Training and validation accuracy")
    axes.legend(loc="lower right")
    return figure


def contact_sheet(theme: Theme, *, images: Sequence[Image.Image | None], captions: Sequence[str], title: str) -> Figure:
    """Show images in rows, enlarged without smoothing, each with a caption; None is shown as a grey tile."""
    from matplotlib.figure import Figure

    rows = max(1, -(-len(images) // TILES_PER_ROW))
    figure = Figure(figsize=(TILES_PER_ROW * 1.5, rows * 1.72 + 0.5), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    grid = figure.subplots(rows, TILES_PER_ROW, squeeze=False).flat
    for number, axes in enumerate(grid):
        axes.set_axis_off()
        if number >= len(images):
            continue
        image = images[number]
        grey = np.full((PLACEHOLDER_PIXELS, PLACEHOLDER_PIXELS, 3), 128, dtype=np.uint8)
        axes.imshow(np.asarray(image) if image else grey, interpolation="nearest")
        caption = textwrap.fill(display_name(captions[number]), CAPTION_CHARACTERS)
        axes.set_title(caption, fontsize=8, fontweight="normal", loc="center", pad=4, color=theme.ink)
    return figure


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _groups(names: Sequence[str], maximum: int) -> list[tuple[str, list[int]]]:
    """Return the positions of each name in `names`, in order of the names.

    If there are more than `maximum` different names, the rarest names form the group "others".
    """
    counts = Counter(names)
    kept = {name for name, _ in counts.most_common(maximum if len(counts) <= maximum else maximum - 1)}
    members: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        members.setdefault(name if name in kept else "others", []).append(position)
    return sorted(members.items(), key=lambda group: (group[0] == "others", group[0]))


def _axis_start(values: Any) -> float:
    """Return the start of an axis that ends at 1, so that all values are visible."""
    lowest = float(np.min(values, initial=1.0))
    return max(0.0, float(np.floor(lowest * 20 - 0.2)) / 20)


def _columns(curve: Sequence[CurvePoint]) -> Any:
    return (np.array([point[name] for point in curve]) for name in ("threshold", "coverage", "accuracy"))


def _label_cells(axes: Axes, classes: Sequence[str], rows: Sequence[str]) -> None:
    size = 9 if len(classes) <= MAX_CLASSES_WITH_LABELS_ON_ONE_SIDE else 8
    columns, lines = ([display_name(name) for name in names] for names in (classes, rows))
    axes.set_xticks(range(len(columns)), columns, rotation=0 if len(columns) <= 3 else 90, fontsize=size)
    axes.set_yticks(range(len(lines)), lines, fontsize=size)
    if len(classes) > MAX_CLASSES_WITH_LABELS_ON_ONE_SIDE:
        axes.tick_params(labeltop=True, labelright=True)


def _draw_cell_borders(axes: Axes, theme: Theme, shape: tuple[int, ...]) -> None:
    """Draw thin lines between the cells, which make it easier to find the class names of a cell."""
    rows, columns = shape
    axes.vlines(np.arange(columns + 1) - 0.5, -0.5, rows - 0.5, color=theme.grid, linewidth=0.4)
    axes.hlines(np.arange(rows + 1) - 0.5, -0.5, columns - 0.5, color=theme.grid, linewidth=0.4)


def _print_counts(axes: Axes, theme: Theme, counts: Any, shares: Any) -> None:
    has_small_cells = len(counts) > 6
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        text = f"{count}" if has_small_cells else f"{count}\n{share:.0%}"
        colour = theme.page if share > 0.55 else theme.ink
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8 if has_small_cells else 11)


def _legend_below(axes: Axes) -> None:
    _, labels = axes.get_legend_handles_labels()
    columns = 5 if max(map(len, labels)) < LONG_LABEL_CHARACTERS else 3
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=columns, columnspacing=1.6, handletextpad=0.4)
