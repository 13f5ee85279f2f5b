"""Draw figures for the report, in both themes."""

from collections.abc import Callable, Mapping
from typing import Any

from evaluation import figures
from evaluation.pages import data_uri

Drawing = Callable[[figures.Theme], Any]
Pictures = dict[str, dict[str, str]]


def draw(drawings: Mapping[str, Drawing]) -> Pictures:
    """Return each figure as a data URI, by name and theme."""
    return {
        name: {
            theme.name: data_uri(figures.as_svg(drawing, theme).encode(), "image/svg+xml")
            for theme in (figures.LIGHT, figures.DARK)
        }
        for name, drawing in drawings.items()
    }
