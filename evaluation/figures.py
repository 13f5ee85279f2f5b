"""Figures of the report and the monitoring, in colours for light and for dark pages.

The classes' colours are Okabe and Ito's ("Color universal design", 2008), which people of all kinds of colour
vision tell apart; in the dark theme the lighter ones come first.
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

if TYPE_CHECKING:  # matplotlib takes a second to import, and most commands draw nothing
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SANS = ["DejaVu Sans"]
WEB_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
MOST_COUNTED = 15  # classes whose counts fit into a matrix's cells
MOST_ON_ONE_SIDE = 30  # classes whose names stand on one side of a matrix only
LARGEST_MATRIX = 17.0  # inches
TILES_A_ROW = 6
CAPTION = 22  # characters that fit over one
TILE = 32  # pixels of the side of what stands for an image that is none
POINTS_DRAWN_AS_VECTORS = 3000
LONG_LABEL = 26  # characters, of which five do not fit beside each other
DASHED = (0, (4, 3))


@dataclass(frozen=True)
class Theme:
    """Colours: of text, of what is beside the point, of lines, of the page, of one series alone, and of classes."""

    name: str
    ink: str
    muted: str
    grid: str
    page: str
    accent: str
    classes: tuple[str, ...]

    @property
    def settings(self) -> Any:  # matplotlib's own type is a literal of all its settings
        """What matplotlib is to do with them, as its `rc_context` takes it."""
        text = dict.fromkeys(("text.color", "axes.titlecolor"), self.ink)
        quiet = dict.fromkeys(("axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"), self.muted)
        lines = dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color", "grid.color"), self.grid)
        return {**SETTINGS, **text, **quiet, **lines, "figure.facecolor": self.page, "axes.facecolor": "none"}


SETTINGS: dict[str, Any] = {
    "font.family": SANS,
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


def words(name: str) -> str:
    """A class's name as it is read."""
    return name.replace("_", " ")


def as_svg(draw: Callable[[Theme], Figure], theme: Theme) -> str:
    """A figure as SVG without a background, its text in the page's own fonts."""
    import matplotlib

    with matplotlib.rc_context(theme.settings), io.StringIO() as stream:
        draw(theme).savefig(stream, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None})
        return stream.getvalue().replace("'DejaVu Sans'", WEB_FONTS)


def as_png(draw: Callable[[Theme], Figure], theme: Theme = LIGHT) -> bytes:
    """A figure as PNG, for those who look at it by itself."""
    import matplotlib

    with matplotlib.rc_context(theme.settings), io.BytesIO() as stream:
        draw(theme).savefig(stream, format="png", dpi=160, bbox_inches="tight", pad_inches=0.2)
        return stream.getvalue()


def confidence_over_time(
    theme: Theme, *, times: Sequence[datetime], confidences: Sequence[float], names: Sequence[str], threshold: float
) -> Figure:
    """Each answer's highest probability when it was given, by class, against the threshold."""
    figure, axes = _axes(9.0, 3.8)
    # NumPy knows no zones
    places = np.array([moment.astimezone(UTC).replace(tzinfo=None) for moment in times], dtype="datetime64[us]")
    heights = np.array(confidences)
    for number, (name, members) in enumerate(_groups(names, len(theme.classes))):
        axes.scatter(
            places[members],
            heights[members],
            s=22,
            marker="os^Dv"[number % 5],
            color=theme.classes[number % len(theme.classes)],
            alpha=0.75,
            linewidths=0,
            label=f"{words(name)} ({len(members)})",
            rasterized=len(times) > POINTS_DRAWN_AS_VECTORS,
        )
    below = int((heights < threshold).sum())
    axes.axhline(threshold, color=theme.ink, linewidth=1.2, linestyle=DASHED, label=f"threshold {threshold:g}")
    axes.axhspan(0, threshold, color=theme.muted, alpha=0.09, linewidth=0)
    axes.set(ylim=(_floor(heights), 1.015), ylabel="highest probability", xlabel="time of the answer (UTC)")
    axes.set_title(f"{below} of {len(heights)} answers are below the threshold")
    _legend_below(axes)
    return figure


def confusion(theme: Theme, *, matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> Figure:
    """Rows are labels, columns what was called; the colour is the share of the row.

    Counts stand in the cells while they fit; from there on the colours begin steeper, so that a few show.
    """
    from matplotlib.colors import LinearSegmentedColormap, PowerNorm

    counts = np.array(matrix)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    is_counted = len(classes) <= MOST_COUNTED
    size = max(2.4 + 0.55 * len(classes), 3.4) if is_counted else 3.0 + 0.2 * len(classes)
    figure, axes = _axes(min(size, LARGEST_MATRIX), min(size, LARGEST_MATRIX))
    ramp = LinearSegmentedColormap.from_list("heat", [theme.page, theme.accent])
    axes.imshow(shares, cmap=ramp, norm=PowerNorm(1 if is_counted else 0.5, vmin=0, vmax=1), interpolation="nearest")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    _name_cells(axes, classes)
    if is_counted:
        _count_cells(axes, theme, counts, shares)
    else:
        _rule_cells(axes, theme, len(classes))
    axes.set(xlabel="called", ylabel="label")
    axes.set_title(f"{counts.diagonal().sum()} of {counts.sum()} images told right")
    return figure


def reliability(theme: Theme, *, bins: Sequence[Mapping[str, Any]], error: float) -> Figure:
    """Accuracy against confidence with 95 % intervals, bin by bin, and how many images each holds.

    On the diagonal a model is calibrated.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    figure = Figure(figsize=(4.6, 4.6), layout="constrained")
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    x, y, n = (np.array([each[name] for each in bins]) for name in ("confidence", "accuracy", "n"))
    low, high = np.array([each["interval"] for each in bins]).T
    floor = _floor(x)
    axes.plot([floor, 1], [floor, 1], color=theme.muted, linewidth=1, linestyle=DASHED)
    # the interval of a share of all or none lies to one side of it
    spread = [np.maximum(y - low, 0), np.maximum(high - y, 0)]
    axes.errorbar(x, y, yerr=spread, fmt="none", ecolor=theme.accent, elinewidth=1.2, alpha=0.45)
    axes.plot(x, y, "o", color=theme.accent, markersize=6)
    axes.set(xlim=(floor, 1.02), ylim=(0, 1.02), ylabel="accuracy")
    axes.set_title(f"Expected calibration error {error:.3f}")
    below.bar(x, n / n.sum(), width=(1.02 - floor) / 40, color=theme.accent)
    below.set(ylim=(0, 1), xlabel="mean confidence of the bin", ylabel="images")
    below.yaxis.set_major_formatter(PercentFormatter(1))
    return figure


def coverage(theme: Theme, *, curve: Sequence[Mapping[str, float]], threshold: float) -> Figure:
    """What passes and how much of it is right, for every threshold."""
    figure, axes = _axes(9.0, 3.4)
    x, covered, right = _columns(curve)
    # up to the lowest confidence everything passes
    x, covered, right = (np.insert(values, 0, first) for values, first in ((x, 0), (covered, 1), (right, right[0])))
    axes.step(x, right, where="pre", color=theme.classes[0], linewidth=2, label="accuracy of what passes")
    axes.step(x, covered, where="pre", color=theme.classes[1], linewidth=2, label="coverage: what passes")
    axes.axvline(threshold, color=theme.ink, linewidth=1.2, linestyle=DASHED, label=f"threshold {threshold:g}")
    start = max(float(x[1]) - 0.02, 0.0)
    axes.set(xlim=(min(start, threshold - 0.02), 1.003), ylim=(0, 1.02), xlabel="threshold", ylabel="share")
    axes.set_title("Coverage and accuracy by threshold")
    _legend_below(axes)
    return figure


def selection(theme: Theme, *, curve: Sequence[Mapping[str, float]], threshold: float, area: float) -> Figure:
    """Accuracy of what passes against how much passes, over all thresholds; the area above it is the risk's."""
    figure, axes = _axes(4.6, 4.6)
    x, covered, right = _columns(curve)
    # below the coverage of the highest threshold there is no other
    covered, right = np.append(covered, 0.0), np.append(right, right[-1])
    axes.fill_between(covered, right, 1, step="post", color=theme.classes[0], alpha=0.15, linewidth=0)
    axes.step(covered, right, where="post", color=theme.classes[0], linewidth=2)
    passing = np.flatnonzero(x >= threshold)
    if len(passing):
        place = passing[0]
        axes.plot(
            covered[place], right[place], "o", color=theme.ink, markersize=7, label=f"threshold {threshold:g}", zorder=3
        )
        axes.legend(loc="lower left")
    axes.set(xlim=(0, 1.02), ylim=(_floor(right), 1.005), xlabel="coverage: what passes", ylabel="accuracy of it")
    axes.set_title(f"Area under the risk-coverage curve {area:.3f}")
    return figure


def epochs(theme: Theme, *, history: Sequence[Mapping[str, float]]) -> Figure:
    """Accuracy on the training and the validation rows, epoch by epoch."""
    from matplotlib.ticker import MaxNLocator

    figure, axes = _axes(4.6, 3.4)
    x = np.arange(1, len(history) + 1)
    series = (("train_accuracy", "training, augmented"), ("validation_accuracy", "validation"))
    for number, (name, label) in enumerate(series):
        y = [row.get(name, np.nan) for row in history]
        axes.plot(x, y, "os"[number] + "-", color=theme.classes[number], linewidth=2, markersize=5, label=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="epoch", ylabel="accuracy")
    axes.set_title("Accuracy while training")
    axes.legend(loc="lower right")
    return figure


def contact_sheet(theme: Theme, *, images: Sequence[Image.Image | None], captions: Sequence[str], title: str) -> Figure:
    """Images in rows, enlarged without smoothing, each with its caption; None where there is no image."""
    from matplotlib.figure import Figure

    rows = max(1, -(-len(images) // TILES_A_ROW))
    figure = Figure(figsize=(TILES_A_ROW * 1.5, rows * 1.72 + 0.5), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    grid = figure.subplots(rows, TILES_A_ROW, squeeze=False).flat
    for number, axes in enumerate(grid):
        axes.set_axis_off()
        if number >= len(images):
            continue
        image = images[number]
        pixels = np.asarray(image) if image else np.full((TILE, TILE, 3), 128, dtype=np.uint8)
        axes.imshow(pixels, interpolation="nearest")
        caption = textwrap.fill(words(captions[number]), CAPTION)
        axes.set_title(caption, fontsize=8, fontweight="normal", loc="center", pad=4, color=theme.ink)
    return figure


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _groups(names: Sequence[str], most: int) -> list[tuple[str, list[int]]]:
    """Positions by name in the names' order; where there are more names than colours, the rarest as one."""
    counts = Counter(names)
    kept = {name for name, _ in counts.most_common(most if len(counts) <= most else most - 1)}
    members: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        members.setdefault(name if name in kept else "others", []).append(place)
    return sorted(members.items(), key=lambda group: (group[0] == "others", group[0]))


def _floor(values: Any) -> float:
    """Where an axis of shares may begin so that all of them are seen."""
    lowest = float(np.min(values, initial=1.0))
    return max(0.0, float(np.floor(lowest * 20 - 0.2)) / 20)


def _columns(curve: Sequence[Mapping[str, float]]) -> Any:
    return (np.array([point[name] for point in curve]) for name in ("threshold", "coverage", "accuracy"))


def _name_cells(axes: Axes, classes: Sequence[str]) -> None:
    places, names = range(len(classes)), [words(name) for name in classes]
    size = 9 if len(classes) <= MOST_ON_ONE_SIDE else 8
    axes.set_xticks(places, names, rotation=0 if len(classes) <= 3 else 90, fontsize=size)
    axes.set_yticks(places, names, fontsize=size)
    if len(classes) > MOST_ON_ONE_SIDE:  # from the middle of the matrix it is far to one side
        axes.tick_params(labeltop=True, labelright=True)


def _rule_cells(axes: Axes, theme: Theme, count: int) -> None:
    """Fine lines between the cells, by which an eye finds back to the names."""
    edges = np.arange(count + 1) - 0.5
    axes.vlines(edges, -0.5, count - 0.5, color=theme.grid, linewidth=0.4)
    axes.hlines(edges, -0.5, count - 0.5, color=theme.grid, linewidth=0.4)


def _count_cells(axes: Axes, theme: Theme, counts: Any, shares: Any) -> None:
    is_small = len(counts) > 6
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        text = f"{count}" if is_small else f"{count}\n{share:.0%}"
        colour = theme.page if share > 0.55 else theme.ink
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8 if is_small else 11)


def _legend_below(axes: Axes) -> None:
    _, labels = axes.get_legend_handles_labels()
    columns = 5 if max(map(len, labels)) < LONG_LABEL else 3
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=columns, columnspacing=1.6, handletextpad=0.4)
