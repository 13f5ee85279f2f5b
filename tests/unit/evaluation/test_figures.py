"""Figures (plots) in light and dark themes, as SVG and PNG."""

import io
import re
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from evaluation import figures
from evaluation.figures import DARK, LIGHT, Theme
from evaluation.metrics import CalibrationBin, CurvePoint

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CURVE = [
    CurvePoint(threshold=0.6, coverage=1.0, accuracy=0.9),
    CurvePoint(threshold=0.9, coverage=0.5, accuracy=1.0),
]
BINS = [CalibrationBin(n=20, confidence=0.8, accuracy=0.75, interval=(0.5, 0.9))]
TIMES: dict[str, Any] = {
    "times": [START + timedelta(seconds=second) for second in range(12)],
    "confidences": list(np.linspace(0.5, 1, 12)),
    "threshold": 0.93,
    "below": 10,
    "total": 12,
}
DRAWINGS = {
    "confidence": partial(figures.confidence_over_time, names=["bicycle", "motorcycle"] * 6, **TIMES),
    "confusion": partial(figures.confusion, matrix=[[9, 1], [0, 10]], classes=["bicycle", "motorcycle"]),
    "reliability": partial(figures.reliability, bins=BINS, error=0.05),
    "coverage": partial(figures.coverage, curve=CURVE, threshold=0.93),
    "accuracy_by_coverage": partial(figures.accuracy_by_coverage, curve=CURVE, threshold=0.93, area=0.05),
    "epochs": partial(figures.epochs, history=[{"train_accuracy": 0.7, "validation_accuracy": 0.8}]),
}


def texts(svg: str) -> str:
    """Return all texts of an SVG drawing in one line."""
    elements = ElementTree.fromstring(svg).iter()  # noqa: S314  (created by this project)
    return " ".join(element.text or "" for element in elements if element.tag.endswith("text"))


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("name", list(DRAWINGS))
def test_every_figure_is_drawn_in_both_themes_without_external_resources(name: str, theme: Theme) -> None:
    # WHEN
    svg = figures.as_svg(DRAWINGS[name], theme)

    # THEN
    assert theme.ink in svg
    assert not re.search(r'(href|src)="http', svg)
    assert texts(svg)


def test_drawing_a_figure_is_reproducible() -> None:
    assert figures.as_svg(DRAWINGS["coverage"], LIGHT) == figures.as_svg(DRAWINGS["coverage"], LIGHT)


def test_the_title_states_the_result() -> None:
    assert "10 of 12 predictions are below the threshold" in texts(figures.as_svg(DRAWINGS["confidence"], LIGHT))


def test_if_classes_outnumber_the_colours_the_rarest_are_grouped_as_others() -> None:
    # GIVEN
    names = [f"class_{number:02d}" for number in range(12)]

    # WHEN
    svg = figures.as_svg(partial(figures.confidence_over_time, names=names, **TIMES), LIGHT)

    # THEN seven of the eight colours are of classes, and the eighth is of the five others, each with one point
    assert "others (5)" in texts(svg)


@pytest.mark.parametrize("classes", [2, 20, 100])
def test_a_confusion_matrix_of_any_size_is_drawn(classes: int) -> None:
    # GIVEN a class without images
    matrix = np.eye(classes, dtype=int)
    matrix[-1] = 0

    # WHEN
    draw = partial(figures.confusion, matrix=matrix.tolist(), classes=[f"class_{n}" for n in range(classes)])

    # THEN the figure has a title, axis labels and class names, and percentages if they fit
    found = texts(figures.as_svg(draw, LIGHT))
    assert f"{classes - 1} of {classes - 1} images classified correctly" in found
    assert "True label" in found
    assert "Predicted" in found
    assert f"class {classes - 1}" in found
    assert ("100%" in found) == (classes == 2)


@pytest.mark.parametrize("count", [0, 1, 7])
def test_a_contact_sheet_has_a_tile_for_every_image_even_if_it_is_invalid(count: int) -> None:
    # GIVEN images, every second of which is invalid
    images = [Image.new("RGB", (32, 32)) if number % 2 == 0 else None for number in range(count)]
    captions = [f"bicycle {number}" for number in range(count)]

    # WHEN
    draw = partial(figures.contact_sheet, images=images, captions=captions, title="Low confidence")

    # THEN
    assert sum(len(axes.images) for axes in draw(LIGHT).axes) == count
    with Image.open(io.BytesIO(figures.as_png(draw))) as picture:
        assert picture.format == "PNG"


@pytest.mark.parametrize("count", [1, 2, 30])
def test_the_epoch_axis_has_ticks_only_at_whole_numbers(count: int) -> None:
    axes = figures.epochs(LIGHT, history=[{"train_accuracy": 0.7, "validation_accuracy": 0.8}] * count).axes[0]
    assert all(tick == int(tick) for tick in axes.get_xticks())
