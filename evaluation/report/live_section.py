"""The section about the evaluation of live traffic with labels that were added later."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from evaluation import figures
from evaluation.live.live_summary import label_problems
from evaluation.live.results import Figures, Live
from evaluation.metrics import percent
from evaluation.report.drawings import Drawing, draw
from evaluation.report.evaluation_section import describe_bins, describe_confusion
from evaluation.report.results import Results
from evaluation.review.answers import NEITHER


def live(results: Results) -> Mapping[str, Any] | None:
    """Return the evaluation of live traffic: estimates for all traffic or, if there are none, for labelled images."""
    found = results.live
    if not found:
        return None
    estimates = found["traffic"]["figures"] if found["traffic"] else found["labelled"]
    return {
        "live": found,
        "label_problems": label_problems(found["labels"]),
        # the end of the time range is later than the report, to include records of clocks that are ahead
        "end": min(found["window"]["end"], found["written"]),
        "estimates": estimates,
        "figures": draw(drawings(found, estimates) if estimates else {}),
        "descriptions": descriptions(found, estimates) if estimates else {},
    }


def drawings(live: Live, estimates: Figures) -> Mapping[str, Drawing]:
    """Return the figures for which there are data."""
    found: dict[str, Drawing] = {}
    if live["labelled"]:
        matrix, rows = confusion(live)
        found["confusion"] = partial(figures.confusion, matrix=matrix, classes=live["classes"], rows=rows)
    if curve := estimates["curve"]:
        found["coverage"] = partial(figures.coverage, curve=curve, threshold=live["threshold"])
    calibration = estimates["calibration"]
    if bins := calibration["bins"]:
        error = calibration["expected_calibration_error"]
        found["reliability"] = partial(figures.reliability, bins=bins, error=error)
    return found


def confusion(live: Live) -> tuple[list[list[int]], list[str]]:
    """Return the counts and row names of the confusion matrix, without the row `neither` if this row is empty."""
    counts = [[round(count) for count in row] for row in live["labelled"]["confusion"]] if live["labelled"] else []
    rows = [*live["classes"], NEITHER]
    return (counts, rows) if live["neither"] else (counts[:-1], rows[:-1])


def descriptions(live: Live, estimates: Figures) -> Mapping[str, str]:
    """Return a description of each figure, for people who cannot see it."""
    matrix, rows = confusion(live)
    return {
        "confusion": describe_confusion(live["classes"], matrix, rows),
        "coverage": (
            f"Coverage and accuracy for every threshold: at {live['threshold']:g}, the coverage is "
            f"{percent(estimates['coverage']['value'])} and the accuracy of the covered images "
            f"{percent(estimates['precision']['value'])}"
        ),
        "reliability": describe_bins(estimates["calibration"]["bins"]),
    }
