"""Evaluate a run on the test set: accuracy, confusion, coverage at the threshold, calibration."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

import numpy as np

from common.errors import OperatorError
from evaluation.executions import Execution, Run, outcome
from evaluation.metrics import (
    BINS,
    Booleans,
    CalibrationBin,
    CurvePoint,
    Floats,
    Integers,
    Interval,
    Proportion,
    calibration_bins,
    calibration_error,
    class_scores,
    confusion_matrix,
    coverage_curve,
    percent,
    risk_coverage_area,
    threshold_for,
)

MAX_CLASSES_PRINTED = 10
MAX_CONFUSIONS = 20
BAR_WIDTH = 20  # characters


class SelectiveMetrics(TypedDict):
    """Metrics of the images whose confidence reaches a threshold; `coverage` is the proportion of these images."""

    n_above_threshold: int
    correct_above_threshold: int
    coverage: float | None
    coverage_interval: Interval | None
    accuracy_above_threshold: float | None
    accuracy_above_threshold_interval: Interval | None


class PrecisionThreshold(SelectiveMetrics):
    """The threshold for a target precision; if no threshold reaches it, the threshold with the highest precision.

    Attributes
    ----------
    precision : the target precision
    """

    precision: float
    is_reached: bool
    threshold: float


ClassMetrics = TypedDict(  # `class` is a keyword, so the class syntax cannot declare it
    "ClassMetrics",
    {
        "class": str,
        "images": int,
        "precision": float | None,
        "precision_interval": Interval | None,
        "recall": float | None,
        "recall_interval": Interval | None,
    },
)


class Confusion(TypedDict):
    """A pair of classes that the model confuses.

    Attributes
    ----------
    images : number of images of the class `label` that were predicted as the class `predicted`
    of : number of all images of the class `label`
    """

    label: str
    predicted: str
    images: int
    of: int


class Calibration(TypedDict):
    """How well confidence matches accuracy."""

    expected_calibration_error: float
    binning: str
    mean_confidence: float
    bins: list[CalibrationBin]


class Mistake(TypedDict):
    """A misclassified image."""

    s3_key: str
    label: str
    predicted: str
    confidence: float


class Evaluation(SelectiveMetrics):
    """The content of `evaluation.json`.

    Attributes
    ----------
    n : number of executions with a prediction, which are evaluated
    without_prediction : number of executions without a prediction, which are not evaluated
    confusion : confusion matrix of counts; rows are true labels, columns predicted classes
    per_class : metrics of each class in ascending order of recall; classes without images come last
    confusions : pairs of classes that are confused, the most frequent first
    mistakes : misclassified images, the most confident first
    """

    source: str
    synthetic: bool
    classes: list[str]
    threshold: float
    endpoint_config: str
    model_package_arn: str | None
    run_started: str
    n: int
    without_prediction: int
    outcomes: dict[str, int]
    correct: int
    accuracy: float | None
    accuracy_interval: Interval | None
    confusion: list[list[int]]
    per_class: list[ClassMetrics]
    confusions: list[Confusion]
    calibration: Calibration
    curve: list[CurvePoint]
    risk_coverage_area: float
    for_precision: PrecisionThreshold | None
    mistakes: list[Mistake]


def check_run_is_current(
    run: Run,
    *,
    endpoint_config: str | None,
    state_machine_arn: str,
    threshold: float,
    classes: Sequence[str],
    images: str,
    environment: str,
) -> None:
    """Check that a run used the model, the settings and the images that are deployed and staged now.

    Parameters
    ----------
    images : fingerprint of the staged test images
    environment : name of the environment, for error messages

    Raises
    ------
    OperatorError
        The run used a different model, setting or set of images; the message says which of them differ.
    """
    compared = {
        "endpoint configuration": (run["endpoint_config"], endpoint_config),
        "state machine": (run["state_machine_arn"], state_machine_arn),
        "threshold": (run["threshold"], threshold),
        "classes": (run["classes"], list(classes)),
        "test images": (run["images"], images),
    }
    changed = [name for name, (then, now) in compared.items() if then != now]
    if changed:
        raise OperatorError(f"changed since the last run: {', '.join(changed)}. Run `make run ENV={environment}` again")


def evaluate(run: Run, labels: Mapping[str, int], *, precision: float | None = None) -> Evaluation:
    """Compute the content of `evaluation.json`.

    Parameters
    ----------
    labels : class number of each image, by S3 key
    precision : target precision, for which the lowest threshold is searched; None to search no threshold

    Raises
    ------
    OperatorError
        No execution has a prediction.
    """
    predicted_executions = [each for each in run["executions"] if len(each["inferences"] or ()) == len(run["classes"])]
    if not predicted_executions:
        raise OperatorError("no execution of the last run got a prediction from the endpoint")
    probabilities = np.array([each["inferences"] for each in predicted_executions], dtype=np.float64)
    truth = np.array([labels[each["s3_key"]] for each in predicted_executions], dtype=np.int64)
    predicted = probabilities.argmax(axis=1)
    confidence, correct = probabilities.max(axis=1), predicted == truth
    accuracy = Proportion(int(correct.sum()), len(correct))
    curve = coverage_curve(confidence, correct)
    confusion = confusion_matrix(truth, predicted, len(run["classes"]))
    return {
        "source": run["source"],
        "synthetic": run["synthetic"],
        "classes": run["classes"],
        "threshold": run["threshold"],
        "endpoint_config": run["endpoint_config"],
        "model_package_arn": run["model_package_arn"],
        "run_started": run["started"],
        "n": accuracy.n,
        "without_prediction": len(run["executions"]) - accuracy.n,
        "outcomes": dict(Counter(map(outcome, run["executions"]))),
        "correct": accuracy.correct,
        "accuracy": accuracy.value,
        "accuracy_interval": accuracy.interval,
        **_selective_metrics(confidence, correct, run["threshold"]),
        "confusion": confusion.tolist(),
        "per_class": _per_class(run["classes"], confusion),
        "confusions": _confusions(run["classes"], confusion),
        "calibration": _calibration(confidence, correct),
        "curve": curve,
        "risk_coverage_area": risk_coverage_area(curve),
        "for_precision": None if precision is None else _for_precision(confidence, correct, curve, precision),
        "mistakes": _mistakes(predicted_executions, truth, predicted, confidence, run["classes"]),
    }


def _selective_metrics(confidence: Floats, correct: Booleans, threshold: float) -> SelectiveMetrics:
    above = confidence >= threshold
    covered = Proportion(int(above.sum()), len(above))
    accuracy = Proportion(int(correct[above].sum()), covered.correct)
    return {
        "n_above_threshold": covered.correct,
        "correct_above_threshold": accuracy.correct,
        "coverage": covered.value,
        "coverage_interval": covered.interval,
        "accuracy_above_threshold": accuracy.value,
        "accuracy_above_threshold_interval": accuracy.interval,
    }


def _for_precision(
    confidence: Floats, correct: Booleans, curve: Sequence[CurvePoint], precision: float
) -> PrecisionThreshold:
    best = max(point["accuracy"] for point in curve)
    threshold = threshold_for(curve, min(precision, best))
    return {
        "precision": precision,
        "is_reached": best >= precision,
        "threshold": threshold,
        **_selective_metrics(confidence, correct, threshold),
    }


def _per_class(classes: Sequence[str], confusion: Integers) -> list[ClassMetrics]:
    metrics: list[ClassMetrics] = [
        {
            "class": name,
            "images": score.recall.n,
            "precision": score.precision.value,
            "precision_interval": score.precision.interval,
            "recall": score.recall.value,
            "recall_interval": score.recall.interval,
        }
        for name, score in zip(classes, class_scores(confusion), strict=True)
    ]
    return sorted(metrics, key=lambda each: 2 if each["recall"] is None else each["recall"])


def _confusions(classes: Sequence[str], confusion: Integers) -> list[Confusion]:
    wrong = confusion - np.diag(confusion.diagonal())
    order = np.argsort(-wrong, axis=None, kind="stable")[:MAX_CONFUSIONS]
    pairs = zip(*(indices.tolist() for indices in np.unravel_index(order, wrong.shape)), strict=True)
    return [
        {
            "label": classes[label],
            "predicted": classes[predicted],
            "images": int(wrong[label, predicted]),
            "of": int(confusion[label].sum()),
        }
        for label, predicted in pairs
        if wrong[label, predicted]
    ]


def _calibration(confidence: Floats, correct: Booleans) -> Calibration:
    bins = calibration_bins(confidence, correct)
    return {
        "expected_calibration_error": calibration_error(confidence, correct),
        "binning": f"{BINS} bins of equal width",
        "mean_confidence": float(confidence.mean()),
        "bins": bins,
    }


def _mistakes(
    executions: Sequence[Execution], truth: Integers, predicted: Integers, confidence: Floats, classes: Sequence[str]
) -> list[Mistake]:
    wrong = np.flatnonzero(truth != predicted)
    return [
        {
            "s3_key": executions[index]["s3_key"],
            "label": classes[truth[index]],
            "predicted": classes[predicted[index]],
            "confidence": float(confidence[index]),
        }
        for index in wrong[np.argsort(-confidence[wrong], kind="stable")].tolist()
    ]


def summary(evaluation: Evaluation, environment: str) -> Iterable[str]:
    """Yield the lines that `make evaluate` prints."""
    n = evaluation["n"]
    yield f"source: {evaluation['source']}"
    if evaluation["synthetic"]:
        yield "synthetic images: the results show that the workflow works, and say nothing about photographs"
    accuracy = f"{evaluation['correct']} of {n}"
    yield _line("accuracy", evaluation["accuracy"], evaluation["accuracy_interval"], accuracy)
    yield from _selective_lines(evaluation, n, f"coverage at {evaluation['threshold']:g}", "accuracy above it")
    calibration = evaluation["calibration"]
    error = calibration["expected_calibration_error"]
    yield f"{'calibration error':<20} {error:6.3f}  expected calibration error, {calibration['binning']}"
    yield f"{'risk-coverage area':<20} {evaluation['risk_coverage_area']:6.3f}  area under the curve, 0 is best"
    if evaluation["for_precision"]:
        yield from _threshold_lines(evaluation["for_precision"], n, environment)
    if evaluation["without_prediction"]:
        yield f"executions without a prediction, not evaluated: {evaluation['without_prediction']}"
    yield from _class_table(evaluation["per_class"])


def _threshold_lines(found: PrecisionThreshold, n: int, environment: str) -> Iterable[str]:
    precision, threshold = f"{found['precision']:.4g}", found["threshold"]
    if found["is_reached"]:
        yield f"the smallest threshold for a precision of {precision} is {threshold}"
    else:
        yield f"no threshold reaches a precision of {precision}; the highest precision is at {threshold}"
    yield from _selective_lines(found, n, "  coverage", "  precision")
    if found["is_reached"]:
        yield f"  to use it: `make threshold VALUE={threshold} ENV={environment}`, then `make up`;"
        yield "  expect a lower precision on other images"


def _selective_lines(found: SelectiveMetrics, n: int, coverage_title: str, accuracy_title: str) -> Iterable[str]:
    above, correct = found["n_above_threshold"], found["correct_above_threshold"]
    yield _line(coverage_title, found["coverage"], found["coverage_interval"], f"{above} of {n}")
    accuracy, interval = found["accuracy_above_threshold"], found["accuracy_above_threshold_interval"]
    yield _line(accuracy_title, accuracy, interval, f"{correct} of {above}")


def _line(title: str, value: float | None, interval: Interval | None, counts: str) -> str:
    if value is None or interval is None:
        return f"{title:<20} none: no image is at or above the threshold"
    return f"{title:<20} {value:6.1%}  {interval[0]:.1%} to {interval[1]:.1%} (95 %), {counts}"


def _class_table(per_class: Sequence[ClassMetrics]) -> Iterable[str]:
    """Yield the lines of a table of the classes with the lowest recall, at most 80 columns wide."""
    yield f"{'class':<30}{'images':>7}{'precision':>11}{'recall':>9}"
    for metrics in per_class[:MAX_CLASSES_PRINTED]:
        filled = round((metrics["recall"] or 0) * BAR_WIDTH)
        yield (
            f"{metrics['class'][:30]:<30}{metrics['images']:>7}{percent(metrics['precision']):>11}"
            f"{percent(metrics['recall']):>9}  {'#' * filled:.<{BAR_WIDTH}}"
        )
    if len(per_class) > MAX_CLASSES_PRINTED:
        yield f"({len(per_class) - MAX_CLASSES_PRINTED} more classes are in evaluation.json)"
