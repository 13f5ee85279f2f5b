"""The layout of state machine drawings: positions of nodes and routes of edges."""

import random
from collections.abc import Mapping
from itertools import combinations

import pytest

from evaluation.graph_layout import Edge, Layout, Size, place

GAP = (20.0, 30.0)


def overlaps(layout: Layout, sizes: Mapping[str, Size]) -> bool:
    """Return whether two nodes overlap."""
    for (first, one), (second, other) in combinations(layout.centers.items(), 2):
        width, height = ((sizes[first][side] + sizes[second][side]) / 2 for side in (0, 1))
        if abs(one[0] - other[0]) < width and abs(one[1] - other[1]) < height:
            return True
    return False


def test_a_chain_of_nodes_is_a_vertical_line() -> None:
    # WHEN
    layout = place(dict.fromkeys("abc", (80.0, 40.0)), [Edge("a", "b"), Edge("b", "c")], gap=GAP)

    # THEN
    assert {x for x, _ in layout.centers.values()} == {40}
    assert [y for _, y in layout.centers.values()] == [20, 90, 160]
    assert layout.size == (80, 180)


def test_edges_of_a_group_to_the_same_target_share_waypoints() -> None:
    # GIVEN a chain of states, in which every state has a catch edge to the same state
    chain = [Edge(source, target, is_straight=True) for source, target in ("ab", "bc", "cd")]
    failures = [Edge(name, "f", "catch") for name in "abcd"]

    # WHEN
    layout = place(dict.fromkeys("abcdf", (80.0, 40.0)), [*chain, *failures], gap=GAP)

    # THEN each catch edge ends with the same waypoints as the longest catch edge, and the chain is nearly straight
    longest = list(layout.routes[failures[0]])
    assert all(list(layout.routes[edge])[2:] == longest[-len(layout.routes[edge]) + 2 :] for edge in failures[:3])
    assert max(layout.centers[name][0] for name in "abcd") - min(layout.centers[name][0] for name in "abcd") < 1


def test_one_edge_of_a_cycle_leads_upwards() -> None:
    # WHEN
    back = Edge("wait", "ask")
    edges = [Edge("ask", "wait"), back, Edge("ask", "done")]
    layout = place(dict.fromkeys(["ask", "wait", "done"], (80.0, 40.0)), edges, gap=GAP)

    # THEN
    assert layout.centers["ask"][1] < layout.centers["wait"][1]
    assert layout.routes[back][0][1] > layout.routes[back][-1][1]


@pytest.mark.parametrize("seed", range(5))
def test_nodes_of_any_graph_do_not_overlap_and_are_inside_the_drawing(seed: int) -> None:
    # GIVEN
    draw = random.Random(seed)
    names = [f"n{number}" for number in range(30)]
    sizes = {name: (draw.uniform(30, 200), draw.uniform(20, 90)) for name in names}
    pairs = [draw.sample(names, 2) for _ in range(60)]
    edges = list(dict.fromkeys(Edge(source, target, draw.choice(["", "catch"])) for source, target in pairs))

    # WHEN
    layout = place(sizes, edges, gap=GAP)

    # THEN
    assert not overlaps(layout, sizes)
    for name, (x, y) in layout.centers.items():
        width, height = sizes[name]
        assert width / 2 <= x + 1e-6 <= layout.size[0] - width / 2 + 2e-6
        assert height / 2 <= y + 1e-6 <= layout.size[1] - height / 2 + 2e-6
    assert {(route[0][0], route[-1][0]) for route in layout.routes.values()} == {
        (layout.centers[edge.source][0], layout.centers[edge.target][0]) for edge in edges
    }


def test_a_single_node_fills_the_drawing() -> None:
    assert place({"only": (80.0, 40.0)}, [], gap=GAP).size == (80, 40)
