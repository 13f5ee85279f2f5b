"""The evaluation on the test images."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from evaluation import figures
from evaluation.evaluate import Evaluation
from evaluation.metrics import CalibrationBin, percent
from evaluation.report.drawings import draw
from evaluation.report.results import Results

MAX_CLASSES_DESCRIBED = 8


def evaluated(results: Results) -> Mapping[str, Any] | None:
    """Return the evaluation and its figures."""
    evaluation = results.evaluation
    if not evaluation:
        return None
    curve, threshold, calibration = evaluation["curve"], evaluation["threshold"], evaluation["calibration"]
    drawings = {
        "confusion": partial(figures.confusion, matrix=evaluation["confusion"], classes=evaluation["classes"]),
        "coverage": partial(figures.coverage, curve=curve, threshold=threshold),
        "accuracy_by_coverage": partial(
            figures.accuracy_by_coverage, curve=curve, threshold=threshold, area=evaluation["risk_coverage_area"]
        ),
        "reliability": partial(
            figures.reliability, bins=calibration["bins"], error=calibration["expected_calibration_error"]
        ),
    }
    return {"evaluation": evaluation, "figures": draw(drawings), "descriptions": descriptions(evaluation)}


def descriptions(evaluation: Evaluation) -> Mapping[str, str]:
    """Return a description of each figure, for people who cannot see it."""
    at_threshold = f"at the threshold of {evaluation['threshold']:g}, the coverage is {percent(evaluation['coverage'])}"
    accuracy = f"and the accuracy of the covered images {percent(evaluation['accuracy_above_threshold'])}"
    return {
        "confusion": describe_confusion(evaluation["classes"], evaluation["confusion"]),
        "coverage": f"Coverage and accuracy for every threshold: {at_threshold}, {accuracy}",
        "accuracy_by_coverage": f"Accuracy against coverage for every threshold: {at_threshold}, {accuracy}",
        "reliability": describe_bins(evaluation["calibration"]["bins"]),
    }


def describe_bins(bins: Sequence[CalibrationBin]) -> str:
    """Return a description of a reliability diagram: the confidence and accuracy of each bin."""
    points = (
        f"confidence {each['confidence']:.2f}, accuracy {each['accuracy']:.2f} of {each['n']} images" for each in bins
    )
    return f"Accuracy against mean confidence: {'; '.join(points)}"


def describe_confusion(
    classes: Sequence[str], confusion: Sequence[Sequence[int]], rows: Sequence[str] | None = None
) -> str:
    """Return a description of a confusion matrix: its counts, or only the number of classes if there are many."""
    if len(classes) > MAX_CLASSES_DESCRIBED:
        return f"Confusion matrix of {len(classes)} classes; the table next to it has precision and recall by class"
    columns = [figures.display_name(name) for name in classes]
    lines = (
        f"{figures.display_name(name)} predicted as "
        f"{', '.join(f'{other} {count}' for other, count in zip(columns, row, strict=True))}"
        for name, row in zip(rows or classes, confusion, strict=True)
    )
    return f"Confusion matrix: {'; '.join(lines)}"
