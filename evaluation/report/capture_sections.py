"""The captured predictions over time, and the images that a person should look at."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from evaluation.monitoring import draw_confidence
from evaluation.report.drawings import draw
from evaluation.report.results import Results


def captures(results: Results) -> Mapping[str, Any] | None:
    """Return the captured predictions and their figure."""
    monitoring = results.monitoring
    if not monitoring:
        return None
    drawings = {"confidence": partial(draw_confidence, monitoring=monitoring)} if monitoring["records"] else {}
    return {"monitoring": monitoring, "figures": draw(drawings)}


def images(results: Results) -> Mapping[str, Any] | None:
    """Return the captured images with the lowest confidence, and the confident mistakes."""
    if not results.monitoring and not results.live:
        return None
    return {"monitoring": results.monitoring, "live": results.live}
