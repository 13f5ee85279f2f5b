"""The charts of the report."""

from functools import partial
from typing import Any
from xml.etree import ElementTree

import pytest

from evaluation.figures import DARK, LIGHT, Theme, as_svg
from evaluation.monitoring import Bucket
from evaluation.report import charts
from evaluation.report.verdict import Accuracy

BUCKETS = [
    Bucket(start=f"2026-03-01T{hour:02}:00:00+00:00", records=10, below_threshold=hour, mean_confidence=0.9)
    for hour in (1, 2, 9)
]
SERIES: dict[str, list[Accuracy | None]] = {
    "Validation images": [Accuracy(0.9, (0.8, 0.95), 100), Accuracy(1.0, None, 100)],
    "Live traffic": [None, Accuracy(0.5, (0.4, 0.6), 50)],
}
DRAWINGS = {
    "Duration of 3 executions": partial(charts.durations, seconds=[0.5, 0.7, 3.0]),
    "Duration of 1 execution": partial(charts.durations, seconds=[0.5]),
    "Predictions in each hour": partial(charts.captures_over_time, buckets=BUCKETS, seconds=3600),
    "Predictions in each minute": partial(charts.captures_over_time, buckets=BUCKETS[:1], seconds=60),
    "Accuracy by model version": partial(charts.accuracies, versions=["v1", "v2"], series=SERIES),
}
THEMES = (LIGHT, DARK, LIGHT, DARK, DARK)


def texts(svg: str) -> list[Any]:
    """Return the texts of an SVG drawing."""
    elements = ElementTree.fromstring(svg).iter()  # noqa: S314  (created by this project)
    return [element.text for element in elements if element.tag.endswith("text")]


@pytest.mark.parametrize(("title", "theme"), list(zip(DRAWINGS, THEMES, strict=True)))
def test_every_chart_has_its_title_and_the_colours_of_the_theme(title: str, theme: Theme) -> None:
    # WHEN
    svg = as_svg(DRAWINGS[title], theme)

    # THEN
    assert title in texts(svg)
    assert theme.ink in svg


def test_bars_can_be_distinguished_without_colour() -> None:
    # WHEN
    svg = as_svg(DRAWINGS["Predictions in each hour"], LIGHT)

    # THEN the bars of predictions below the threshold are hatched
    assert "<pattern" in svg
    assert "below the threshold" in texts(svg)
