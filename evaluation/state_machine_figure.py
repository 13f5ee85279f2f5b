"""Draw a state machine as SVG and PNG, optionally with the states and transitions of one execution."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from common.times import format_duration
from evaluation.execution_details import combine_status, group_visits
from evaluation.execution_history import Status, Step
from evaluation.figures import LIGHT, Theme, as_png, as_svg
from evaluation.graph_layout import Edge, Layout, Point, Size, place
from evaluation.payloads import printable
from evaluation.state_machine import State, StateMachine, Transition

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# All sizes are in points. The character widths fit DejaVu Sans, which is wider than the default fonts of web browsers.
NAME_SIZE, TEXT_SIZE = 10.0, 8.5
NAME_CHARACTER, TEXT_CHARACTER = 7.4, 5.6
LINE_HEIGHT = 14.0
MAX_CHARACTERS = 22  # maximum length of a line of a state's name
PADDING = 9.0
GAP = (22.0, 30.0)  # between states of a layer, and between layers
MARGIN = 6.0
DOTS_PER_INCH = 72  # so that one unit of a coordinate is one point
ARROW = 4.0
CATCH = "catch"
LAYER = 1  # the same zorder for all patches, so that matplotlib draws them in the order in which they are added

# Line width and style of a state's border. The text in the box repeats the status, so no reader depends on the style.
BORDERS: Mapping[Status | None, tuple[float, Any]] = {
    None: (1.2, "solid"),
    Status.SUCCEEDED: (1.6, "solid"),
    Status.CAUGHT: (2.2, (0, (6, 1.5, 1, 1.5))),
    Status.FAILED: (3.2, "solid"),
    Status.RUNNING: (2.2, (0, (5, 2))),
    Status.ABORTED: (1.6, (0, (5, 2))),
    Status.NOT_REACHED: (0.9, (0, (1, 2.5))),
}
# Colours of the light theme, and the CSS custom properties of the page with which an inline drawing replaces them
CSS_PROPERTIES = (
    (LIGHT.ink, "--ink"),
    (LIGHT.muted, "--muted"),
    (LIGHT.page, "--card"),
    (LIGHT.classes[1], "--alert"),
    (LIGHT.classes[2], "--good"),
)


@dataclass(frozen=True)
class Visits:
    """The visits of an execution to one state.

    Attributes
    ----------
    status : the most severe status among the visits
    text : the status in words, with the number of visits or the duration
    link : URL of the details of a visit; None if the page shows no visit with this status
    """

    status: Status
    text: str
    link: str | None = None


@dataclass(frozen=True)
class Trace:
    """The states that an execution visited, and the transitions that it followed.

    Attributes
    ----------
    visits : visits by the name of the state, without the states inside a visited distributed Map state
    transitions : transitions that the execution followed
    """

    visits: Mapping[str, Visits]
    transitions: Collection[Transition]


@dataclass(frozen=True)
class _Box:
    """The box of a state: lines of text as pairs of kind and text, the size, and inner graphs with their positions."""

    lines: Sequence[tuple[str, str]]
    size: Size
    inside: Sequence[tuple[Point, _Graph]] = ()


@dataclass(frozen=True)
class _Graph:
    """The boxes of a state machine and their layout."""

    boxes: Mapping[str, _Box]
    layout: Layout


def trace_steps(steps: Sequence[Step], machine: StateMachine, numbers: Mapping[Step, int]) -> Trace:
    """Return the trace of an execution through a state machine.

    The link of a state is `#step-<number>`, for the first visit that the page shows and that has the state's status.

    Parameters
    ----------
    numbers : number of each step that the page shows
    """
    visits = {}
    for name, found in group_visits(steps).items():
        status = combine_status(found)
        first = next((numbers[step] for step in found if step.status is status and step in numbers), None)
        visits[name] = Visits(status, _describe(found, status), f"#step-{first}" if first else None)
    missing = {name: Visits(Status.NOT_REACHED, Status.NOT_REACHED.word) for name in machine.names_except(visits)}
    transitions = {
        Transition(step.after.name, step.name, is_catch=step.after.status is Status.CAUGHT)
        for step in steps
        if step.after
    }
    return Trace({**visits, **missing}, transitions)


def _describe(visits: Sequence[Step], status: Status) -> str:
    """Return the status of a state in words, with the number of visits, or the duration and retries."""
    if len(visits) > 1:
        same = sum(step.status is status for step in visits)
        count = f"{same} of {len(visits)}" if same < len(visits) else f"{len(visits)} times"
        return f"{status.symbol} {status.word}, {count}"
    seconds, retries = visits[0].seconds, visits[0].retries
    duration = f", {format_duration(seconds)}" if seconds is not None and status is Status.SUCCEEDED else ""
    return f"{status.symbol} {status.word}{duration}{f', retries: {retries}' if retries else ''}"


def draw_svg(machine: StateMachine, trace: Trace | None = None) -> str:
    """Return the drawing of a state machine as SVG in the light theme."""
    return as_svg(partial(draw, machine=machine, trace=trace), LIGHT)


def draw_png(machine: StateMachine) -> bytes:
    """Return the drawing of a state machine as PNG."""
    return as_png(partial(draw, machine=machine, trace=None))


def draw_inline_svg(machine: StateMachine, trace: Trace, label: str) -> str:
    """Return the drawing as an SVG element; CSS custom properties of the page set the colours.

    Parameters
    ----------
    label : text for screen readers, without characters that HTML reserves
    """
    svg = draw_svg(machine, trace)
    for colour, name in CSS_PROPERTIES:
        svg = svg.replace(colour, f"var({name})")
    return svg[svg.index("<svg ") :].replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def draw(theme: Theme, *, machine: StateMachine, trace: Trace | None) -> Figure:
    """Return a figure of a state machine; with a trace, the figure also shows the status of each state."""
    from matplotlib.figure import Figure

    graph = _arrange(machine, trace)
    width, height = (side + 2 * MARGIN for side in graph.layout.size)
    figure = Figure(figsize=(width / DOTS_PER_INCH, height / DOTS_PER_INCH), dpi=DOTS_PER_INCH)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, width), ylim=(height, 0))
    _draw_graph(axes, theme, graph, (MARGIN, MARGIN), trace)
    return figure


def _arrange(machine: StateMachine, trace: Trace | None) -> _Graph:
    boxes = {state.name: _make_box(state, trace) for state in machine.states}
    edges = [
        Edge(each.source, each.target, CATCH) if each.is_catch else Edge(each.source, each.target, is_straight=True)
        for each in machine.transitions
        if each.source != each.target
    ]
    return _Graph(boxes, place({name: box.size for name, box in boxes.items()}, edges, gap=GAP))


def _make_box(state: State, trace: Trace | None) -> _Box:
    names = textwrap.wrap(printable(state.name), MAX_CHARACTERS) or [""]
    lines = [*(("name", line) for line in names), ("text", state.kind)]
    if trace and state.name in trace.visits:
        lines.append(("status", trace.visits[state.name].text))
    widths = [len(text) * (NAME_CHARACTER if kind == "name" else TEXT_CHARACTER) for kind, text in lines]
    width, height = max(widths) + 2 * PADDING, len(lines) * LINE_HEIGHT + 2 * PADDING
    graphs = [_arrange(machine, trace) for machine in state.machines]
    if not graphs:
        return _Box(lines, (width, height))
    inner = sum(graph.layout.size[0] for graph in graphs) + GAP[0] * (len(graphs) - 1)
    width = max(width, inner + 2 * PADDING)
    x, inside = (width - inner) / 2, []
    for graph in graphs:
        inside.append(((x, height), graph))
        x += graph.layout.size[0] + GAP[0]
    height += max(graph.layout.size[1] for graph in graphs) + PADDING
    return _Box(lines, (width, height), inside)


def _draw_graph(axes: Axes, theme: Theme, graph: _Graph, origin: Point, trace: Trace | None) -> None:
    _draw_edges(axes, theme, graph, origin, trace)
    for name, box in graph.boxes.items():
        x, y = graph.layout.centers[name]
        corner = (origin[0] + x - box.size[0] / 2, origin[1] + y - box.size[1] / 2)
        _draw_box(axes, theme, box, corner, trace.visits.get(name) if trace else None)
        for (left, top), inner in box.inside:
            _draw_graph(axes, theme, inner, (corner[0] + left, corner[1] + top), trace)


def _draw_box(axes: Axes, theme: Theme, box: _Box, corner: Point, visits: Visits | None) -> None:
    from matplotlib.patches import FancyBboxPatch

    status = visits.status if visits else None
    width, style = BORDERS[status]
    color = _status_color(theme, status)
    patch = FancyBboxPatch(
        corner,
        *box.size,
        boxstyle="round,pad=0,rounding_size=5",
        linewidth=width,
        linestyle=style,
        edgecolor=color,
        facecolor=theme.page,
        zorder=LAYER,
    )
    axes.add_patch(patch)
    y = corner[1] + PADDING + LINE_HEIGHT / 2
    for kind, line in box.lines:
        text = axes.text(
            corner[0] + box.size[0] / 2,
            y,
            line,
            ha="center",
            va="center_baseline",
            fontsize=NAME_SIZE if kind == "name" else TEXT_SIZE,
            fontweight="bold" if kind == "name" and status is not Status.NOT_REACHED else "normal",
            color={"name": theme.muted if status is Status.NOT_REACHED else theme.ink, "status": color}.get(
                kind, theme.muted
            ),
            parse_math=False,
        )
        if visits and visits.link:
            text.set_url(visits.link)
        y += LINE_HEIGHT


def _status_color(theme: Theme, status: Status | None) -> str:
    if status in (Status.FAILED, Status.CAUGHT):
        return theme.classes[1]
    if status is Status.SUCCEEDED:
        return theme.classes[2]
    return theme.muted if status is Status.NOT_REACHED else theme.ink


def _draw_edges(axes: Axes, theme: Theme, graph: _Graph, origin: Point, trace: Trace | None) -> None:
    """Draw the transitions. A segment that several transitions share is drawn once, so that dashes stay visible."""
    from matplotlib.patches import PathPatch, Polygon

    segments: dict[tuple[Point, Point, bool], bool] = {}
    heads: dict[tuple[Point, Point], bool] = {}
    for edge, points in graph.layout.routes.items():
        is_catch = edge.group == CATCH
        is_taken = trace is not None and Transition(edge.source, edge.target, is_catch) in trace.transitions
        for ends in pairwise(points):
            segments[*ends, is_catch] = segments.get((*ends, is_catch), False) or is_taken
        head = (points[-3], points[-1])
        heads[head] = heads.get(head, False) or is_taken
    plain = 1.2 if trace is None else 0.8
    colors = {True: theme.ink, False: theme.ink if trace is None else theme.muted}
    for (start, end, is_catch), is_taken in sorted(segments.items(), key=itemgetter(1)):
        path = PathPatch(
            _curve(_move(start, origin), _move(end, origin)),
            fill=False,
            linewidth=2.2 if is_taken else plain,
            linestyle=(0, (4, 2.5)) if is_catch else "solid",
            edgecolor=colors[is_taken],
            zorder=LAYER,
        )
        axes.add_patch(path)
    for (before, end), is_taken in sorted(heads.items(), key=itemgetter(1)):
        x, y = _move(end, origin)
        length = 1.8 * ARROW if before[1] < end[1] else -1.8 * ARROW
        corners = [(x, y), (x - ARROW, y - length), (x + ARROW, y - length)]
        axes.add_patch(Polygon(corners, facecolor=colors[is_taken], linewidth=0, zorder=LAYER))


def _move(point: Point, origin: Point) -> Point:
    return (point[0] + origin[0], point[1] + origin[1])


def _curve(start: Point, end: Point) -> Any:
    """Return a curve from `start` to `end` that is vertical at both ends."""
    from matplotlib.path import Path

    middle = (start[1] + end[1]) / 2
    points = [start, (start[0], middle), (end[0], middle), end]
    return Path(points, [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4])
