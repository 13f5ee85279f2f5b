"""The captured predictions over time, and the images that a person should look at."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from evaluation.monitoring import draw_confidence
from evaluation.report import charts
from evaluation.report.drawings import draw
from evaluation.report.results import Results


def captures(results: Results) -> Mapping[str, Any] | None:
    """Return the values for the section of captured predictions, or None if there are no captured predictions."""
    monitoring = results.monitoring
    if not monitoring:
        return None
    buckets, seconds = monitoring["buckets"], monitoring["bucket_seconds"]
    drawings = {
        "confidence": partial(draw_confidence, monitoring=monitoring),
        "captures": partial(charts.captures_over_time, buckets=buckets, seconds=seconds),
    }
    return {
        "monitoring": monitoring,
        "predicted_classes": [name for name, count in monitoring["per_class"].items() if count],
        "period": charts.format_period(seconds),
        "figures": draw(drawings if monitoring["records"] else {}),
    }


def images(results: Results) -> Mapping[str, Any] | None:
    """Return the captured images with the lowest confidence, and the confident mistakes."""
    if not results.monitoring and not results.live:
        return None
    return {"monitoring": results.monitoring, "live": results.live}
