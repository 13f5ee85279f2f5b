"""Place the nodes of a directed graph in layers from top to bottom, and route its edges between them.

The method is that of Sugiyama, Tagawa and Toda ("Methods for visual understanding of hierarchical system structures",
1981): reverse edges that close a cycle, assign layers by the longest path, order each layer by the mean position
of its neighbours, and align the nodes with their neighbours. An edge that spans several layers passes through
one waypoint in each layer between its ends. Edges of the same group to the same target share their waypoints: most
states of a state machine lead to the same state when they fail, and the drawing shows these edges as one line.

No maintained library on PyPI does this in pure Python: grandalf had its last release in 2023, and fast-sugiyama,
pygraphviz and igraph are binary packages.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

SWEEPS = 24
STRAIGHT = 1000.0  # weight of edges that should be straight; other edges have the weight 1
Point = tuple[float, float]
Size = tuple[float, float]


@dataclass(frozen=True)
class Edge:
    """An edge between two nodes.

    Attributes
    ----------
    group : edges of the same group to the same target share waypoints
    is_straight : whether the layout prefers to draw this edge as a straight line
    """

    source: str
    target: str
    group: str = ""
    is_straight: bool = False


@dataclass(frozen=True)
class Waypoint:
    """A point in a layer through which all edges of a group to the same target pass."""

    target: str
    group: str
    layer: int


@dataclass(frozen=True)
class Layout:
    """Positions in a coordinate system that starts at the upper left corner.

    Attributes
    ----------
    size : width and height
    centers : centre of each node
    routes : points of each edge, in pairs: the top and the bottom of each layer through which the edge passes. The two
        points of a pair are connected by a vertical line. The first and the last point are on the nodes' borders
    """

    size: Size
    centers: Mapping[str, Point]
    routes: Mapping[Edge, Sequence[Point]]


Vertex = str | Waypoint
Step = tuple[Vertex, Vertex]  # from a vertex to one of the next layer


def place(sizes: Mapping[str, Size], edges: Sequence[Edge], *, gap: Size) -> Layout:
    """Return the layout of a graph.

    Parameters
    ----------
    sizes : width and height of each node; the first node is the start
    edges : edges without loops from a node to itself
    gap : smallest distance between two nodes of a layer, and between two layers
    """
    finished = _finish_order(list(sizes), edges)
    ends = {
        edge: (edge.source, edge.target)
        if finished[edge.source] > finished[edge.target]
        else (edge.target, edge.source)
        for edge in edges
    }
    layer_of = _assign_layers(sorted(sizes, key=finished.__getitem__, reverse=True), ends.values())
    paths = {edge: _path(upper, lower, edge.group, layer_of) for edge, (upper, lower) in ends.items()}
    neighbours: dict[Step, float] = {}
    for edge, path in paths.items():
        for upper, lower in pairwise(path):
            weight = STRAIGHT if edge.is_straight or isinstance(upper, Waypoint) else 1.0
            neighbours[upper, lower] = max(weight, neighbours.get((upper, lower), 0.0))
    layers = _order(_fill_layers(layer_of, paths.values()), neighbours)
    widths: dict[Vertex, float] = {vertex: 0.0 for layer in layers for vertex in layer}
    widths.update({name: width for name, (width, _) in sizes.items()})
    x = _align(layers, neighbours, widths, gap[0])
    left = min(x[vertex] - widths[vertex] / 2 for vertex in x)
    right = max(x[vertex] + widths[vertex] / 2 for vertex in x)
    x = {vertex: at - left for vertex, at in x.items()}
    spans = _stack(layers, sizes, gap[1])
    centers = {name: (x[name], fmean(spans[layer_of[name]])) for name in sizes}
    routes = {}
    for edge, path in paths.items():
        points = [(x[vertex], y) for vertex in path for y in spans[_layer(vertex, layer_of)]]
        first, last = str(path[0]), str(path[-1])
        points[0] = (x[first], centers[first][1] + sizes[first][1] / 2)
        points[-1] = (x[last], centers[last][1] - sizes[last][1] / 2)
        routes[edge] = points if edge.source == first else points[::-1]
    return Layout((right - left, spans[-1][1]), centers, routes)


def _finish_order(names: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """Return the position of each node in the order in which a depth-first search finishes the nodes.

    An edge closes a cycle if the search finishes its target after its source.
    """
    following: dict[str, list[str]] = defaultdict(list)
    for edge in edges:
        following[edge.source].append(edge.target)
    finished: dict[str, int] = {}
    for root in names:
        _visit(root, following, finished)
    return finished


def _visit(root: str, following: Mapping[str, Sequence[str]], finished: dict[str, int]) -> None:
    """Add to `finished` all nodes that can be reached from `root`, in the order in which the search finishes them."""
    seen = set(finished) | {root}
    stack = [(root, iter(following.get(root, ())))] if root not in finished else []
    while stack:
        name, targets = stack[-1]
        target = next((target for target in targets if target not in seen), None)
        if target is None:
            finished[name] = len(finished)
            stack.pop()
        else:
            seen.add(target)
            stack.append((target, iter(following.get(target, ()))))


def _assign_layers(names: Sequence[str], ends: Collection[tuple[str, str]]) -> dict[str, int]:
    """Return the layer of each node: the number of edges on the longest path to it.

    Parameters
    ----------
    names : nodes in an order in which the upper node of each edge comes before the lower one
    ends : upper and lower node of each edge
    """
    below: dict[str, list[str]] = defaultdict(list)
    for upper, lower in ends:
        below[upper].append(lower)
    layer_of = dict.fromkeys(names, 0)
    for name in names:
        for lower in below[name]:
            layer_of[lower] = max(layer_of[lower], layer_of[name] + 1)
    return layer_of


def _path(upper: str, lower: str, group: str, layer_of: Mapping[str, int]) -> list[Vertex]:
    between = range(layer_of[upper] + 1, layer_of[lower])
    return [upper, *(Waypoint(lower, group, layer) for layer in between), lower]


def _layer(vertex: Vertex, layer_of: Mapping[str, int]) -> int:
    return vertex.layer if isinstance(vertex, Waypoint) else layer_of[vertex]


def _fill_layers(layer_of: Mapping[str, int], paths: Iterable[Sequence[Vertex]]) -> list[list[Vertex]]:
    layers: list[dict[Vertex, None]] = [{} for _ in range(max(layer_of.values()) + 1)]
    for name, number in layer_of.items():
        layers[number][name] = None
    for path in paths:
        for vertex in path:
            if isinstance(vertex, Waypoint):
                layers[vertex.layer][vertex] = None
    return [list(layer) for layer in layers]


def _order(layers: list[list[Vertex]], neighbours: Collection[Step]) -> list[list[Vertex]]:
    """Return the layers in an order with few crossings: the best order of several sweeps down and up."""
    above, below = _adjacent(neighbours)
    best, fewest = layers, _crossings(layers, below)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        layers = [list(layer) for layer in layers]
        numbers = range(1, len(layers)) if down else range(len(layers) - 2, -1, -1)
        for number in numbers:
            fixed = {vertex: at for at, vertex in enumerate(layers[number - 1 if down else number + 1])}
            own = {vertex: at for at, vertex in enumerate(layers[number])}
            layers[number].sort(key=lambda vertex: _mean_position(vertex, above if down else below, fixed, own))
        if (crossings := _crossings(layers, below)) < fewest:
            best, fewest = layers, crossings
    return best


def _mean_position(
    vertex: Vertex,
    adjacent: Mapping[Vertex, Sequence[Vertex]],
    fixed: Mapping[Vertex, int],
    own: Mapping[Vertex, int],
) -> float:
    return fmean([fixed[each] for each in adjacent[vertex]] or [own[vertex]])


def _adjacent(
    neighbours: Collection[Step],
) -> tuple[Mapping[Vertex, list[Vertex]], Mapping[Vertex, list[Vertex]]]:
    """Return the neighbours above and below each vertex, in the same order in every process."""
    above: dict[Vertex, list[Vertex]] = defaultdict(list)
    below: dict[Vertex, list[Vertex]] = defaultdict(list)
    for upper, lower in sorted(neighbours, key=repr):
        above[lower].append(upper)
        below[upper].append(lower)
    return above, below


def _crossings(layers: Sequence[Sequence[Vertex]], below: Mapping[Vertex, Sequence[Vertex]]) -> int:
    """Return the number of pairs of edges that cross."""
    count = 0
    for upper, lower in pairwise(layers):
        at = {vertex: number for number, vertex in enumerate(lower)}
        ends = [number for vertex in upper for number in sorted(at[each] for each in below[vertex])]
        count += sum(first > second for index, first in enumerate(ends) for second in ends[index + 1 :])
    return count


def _align(
    layers: Sequence[Sequence[Vertex]],
    neighbours: Mapping[Step, float],
    widths: Mapping[Vertex, float],
    gap: float,
) -> dict[Vertex, float]:
    """Return the x-coordinate of each vertex: near its neighbours, with at least `gap` between vertices of a layer."""
    above, below = _adjacent(neighbours)
    x: dict[Vertex, float] = {}
    for layer in layers:
        x.update(_separate(dict.fromkeys(layer, 0.0), widths, gap))
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for layer in layers if down else reversed(layers):
            adjacent = above if down else below
            targets = {}
            for vertex in layer:
                weights = [neighbours[(each, vertex) if down else (vertex, each)] for each in adjacent[vertex]]
                targets[vertex] = fmean([x[each] for each in adjacent[vertex]] or [x[vertex]], weights or None)
            x.update(_separate(targets, widths, gap))
    return x


def _separate(targets: Mapping[Vertex, float], widths: Mapping[Vertex, float], gap: float) -> dict[Vertex, float]:
    """Return positions that keep the order and the gap, with the smallest squared distance to the target positions.

    Each vertex has a minimum offset from the first vertex. After subtraction of these offsets, the problem is an
    isotonic regression, which the pool-adjacent-violators algorithm solves.
    """
    offsets = [0.0]
    for left, right in pairwise(targets):
        offsets.append(offsets[-1] + (widths[left] + widths[right]) / 2 + gap)
    pools: list[list[float]] = []
    for value, offset in zip(targets.values(), offsets, strict=True):
        pools.append([value - offset])
        while len(pools) > 1 and fmean(pools[-2]) > fmean(pools[-1]):
            pools[-2:] = [pools[-2] + pools[-1]]
    flat = [fmean(pool) for pool in pools for _ in pool]
    return {vertex: value + offset for vertex, value, offset in zip(targets, flat, offsets, strict=True)}


def _stack(layers: Sequence[Sequence[Vertex]], sizes: Mapping[str, Size], gap: float) -> list[tuple[float, float]]:
    """Return the top and the bottom of each layer."""
    spans, top = [], 0.0
    for layer in layers:
        bottom = top + max(sizes[each][1] for each in layer if isinstance(each, str))
        spans.append((top, bottom))
        top = bottom + gap
    return spans
