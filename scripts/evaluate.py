"""Hold the last run against the labels: accuracy, confusion, coverage above the threshold, calibration."""

import argparse
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import boto3
import numpy as np

from common.files import write_json
from common.stack import Stack
from evaluation.metrics import (
    BINS,
    Booleans,
    CurvePoint,
    Floats,
    Integers,
    Share,
    calibration_bins,
    calibration_error,
    class_scores,
    confusion_matrix,
    coverage_curve,
    risk_coverage_area,
    threshold_for,
)
from evaluation.results import FILES, Execution, Run, is_drawn, make, read_run
from evaluation.staged import Staged, read_staged
from scripts.command import Environment, OperatorError, run_command
from scripts.run import outcome

MOST_CLASSES_PRINTED = 10
MOST_CONFUSIONS = 20
BAR = 20  # characters of a class's recall


class StaleRunError(OperatorError):
    """The last run stands on something else than what is deployed and staged now."""


class NothingToEvaluateError(OperatorError):
    """No execution of the run has probabilities of the stack's classes."""


def options(parser: argparse.ArgumentParser) -> None:
    """What the threshold should reach."""
    parser.add_argument("--precision", type=share, help="find the threshold at which this share is right, as 0.98")


def share(text: str) -> float:
    """A share that something can be asked to reach."""
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share: give a number above 0 and at most 1, as 0.98")
    return found


def main(environment: Environment) -> None:
    """Evaluate the last run, write `evaluation.json`, print a summary.

    Raises
    ------
    common.files.StepMissingError, StaleRunError, NothingToEvaluateError
        There is no run, none of what is deployed now, or none with answers.
    """
    stack = environment.stack
    run = read_run(environment.directory)
    staged = read_staged(boto3.client("s3", region_name=stack.region), stack)
    check_fresh(run, stack, staged, environment.directory)
    evaluation = evaluate(run, staged.labels, precision=environment.options.precision)
    path = environment.directory / FILES["evaluate"]
    write_json(path, evaluation)
    print("\n".join(summary(evaluation, environment.directory)))
    print(path)


def check_fresh(run: Run, stack: Stack, staged: Staged, directory: Path) -> None:
    """The run must stand on what is deployed and staged now.

    Raises
    ------
    StaleRunError
        It does not; the message says in what.
    """
    compared = {
        "endpoint configuration": (run["endpoint_config"], stack.endpoint_config_name),
        "state machine": (run["state_machine_arn"], stack.state_machine_arn),
        "threshold": (run["threshold"], stack.threshold),
        "classes": (tuple(run["classes"]), stack.classes),
        "test images": (run["images"], staged.fingerprint),
    }
    changed = [name for name, (then, now) in compared.items() if then != now]
    if changed:
        raise StaleRunError(
            f"the last run stands on another {' and '.join(changed)}: run `{make('run', directory)}` again"
        )


def evaluate(run: Run, labels: Mapping[str, int], *, precision: float | None = None) -> dict[str, Any]:
    """The content of `evaluation.json`.

    Parameters
    ----------
    labels
        Class number by key.
    precision
        What share of the images at or above some threshold should be right.

    Raises
    ------
    NothingToEvaluateError
        No execution has an answer.
    """
    answered = [found for found in run["executions"] if len(found["inferences"] or ()) == len(run["classes"])]
    if not answered:
        raise NothingToEvaluateError("no execution of the last run got an answer from the endpoint")
    probabilities = np.array([found["inferences"] for found in answered], dtype=np.float64)
    truth = np.array([labels[found["s3_key"]] for found in answered], dtype=np.int64)
    predicted = probabilities.argmax(axis=1)
    confidence, correct = probabilities.max(axis=1), predicted == truth
    curve = coverage_curve(confidence, correct)
    confusion = confusion_matrix(truth, predicted, len(run["classes"]))
    return {
        **_provenance(run),
        "n": len(answered),
        "unanswered": len(run["executions"]) - len(answered),
        "outcomes": dict(Counter(map(outcome, run["executions"]))),
        **_accuracy(correct),
        **_above(confidence, correct, run["threshold"]),
        "confusion": confusion.tolist(),
        "per_class": _per_class(run["classes"], confusion),
        "confusions": _confusions(run["classes"], confusion),
        "calibration": _calibration(confidence, correct),
        "curve": [asdict(point) for point in curve],
        "risk_coverage_area": risk_coverage_area(curve),
        "for_precision": None if precision is None else _for_precision(confidence, correct, curve, precision),
        "mistakes": _mistakes(answered, truth, predicted, confidence, run["classes"]),
    }


def _provenance(run: Run) -> dict[str, Any]:
    kept = ("source", "classes", "threshold", "endpoint_config", "model_package_arn")
    content: dict[str, Any] = {name: value for name, value in run.items() if name in kept}
    return {**content, "run_started": run["started"]}


def _accuracy(correct: Booleans) -> dict[str, Any]:
    share = Share(int(correct.sum()), len(correct))
    return {"correct": share.correct, "accuracy": share.value, "accuracy_interval": share.interval}


def _above(confidence: Floats, correct: Booleans, threshold: float) -> dict[str, Any]:
    """Coverage is the share of images at or above the threshold; the accuracy there is None where it is 0."""
    above = confidence >= threshold
    covered, right = Share(int(above.sum()), len(above)), Share(int(correct[above].sum()), int(above.sum()))
    return {
        "n_above_threshold": covered.correct,
        "correct_above_threshold": right.correct,
        "coverage": covered.value,
        "coverage_interval": covered.interval,
        "accuracy_above_threshold": right.value,
        "accuracy_above_threshold_interval": right.interval,
    }


def _for_precision(
    confidence: Floats, correct: Booleans, curve: Sequence[CurvePoint], precision: float
) -> dict[str, Any]:
    """The threshold that reaches it and what passes there; where none does, that of the highest precision."""
    best = max(point.accuracy for point in curve)
    threshold = threshold_for(curve, min(precision, best))
    return {
        "precision": precision,
        "is_reached": best >= precision,
        "threshold": threshold,
        **_above(confidence, correct, threshold),
    }


def _per_class(classes: Sequence[str], confusion: Integers) -> list[dict[str, Any]]:
    """Precision and recall of each class, the lowest recall first and what does not occur last."""
    scores = [
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
    return sorted(scores, key=lambda score: score["recall"] if score["images"] else 2)


def _confusions(classes: Sequence[str], confusion: Integers) -> list[dict[str, Any]]:
    """Which class is called which other one how often, the most frequent first."""
    wrong = confusion - np.diag(confusion.diagonal())
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_CONFUSIONS]
    pairs = zip(*(places.tolist() for places in np.unravel_index(order, wrong.shape)), strict=True)
    return [
        {
            "label": classes[label],
            "predicted": classes[called],
            "images": int(wrong[label, called]),
            "of": int(confusion[label].sum()),
        }
        for label, called in pairs
        if wrong[label, called]
    ]


def _calibration(confidence: Floats, correct: Booleans) -> dict[str, Any]:
    bins = calibration_bins(confidence, correct)
    return {
        "expected_calibration_error": calibration_error(bins),
        "binning": f"{BINS} bins of equal width",
        "mean_confidence": float(confidence.mean()),
        "bins": [asdict(each) for each in bins],
    }


def _mistakes(
    answered: Sequence[Execution], truth: Integers, predicted: Integers, confidence: Floats, classes: Sequence[str]
) -> list[dict[str, Any]]:
    """The images told wrong, the most confident first."""
    wrong = np.flatnonzero(truth != predicted)
    return [
        {
            "s3_key": answered[row]["s3_key"],
            "label": classes[truth[row]],
            "predicted": classes[predicted[row]],
            "confidence": float(confidence[row]),
        }
        for row in wrong[np.argsort(-confidence[wrong], kind="stable")].tolist()
    ]


def summary(evaluation: Mapping[str, Any], directory: Path) -> Iterable[str]:
    """What a person wants to know first."""
    yield f"source: {evaluation['source']}"
    if is_drawn(evaluation["source"]):
        yield "these images are drawn: the figures say that the workflow works, nothing about photographs"
    yield _line("accuracy", evaluation, "accuracy", f"{evaluation['correct']} of {evaluation['n']}")
    above = f"{evaluation['n_above_threshold']} of {evaluation['n']}"
    yield _line(f"coverage at {evaluation['threshold']:g}", evaluation, "coverage", above)
    right = f"{evaluation['correct_above_threshold']} of {evaluation['n_above_threshold']}"
    yield _line("accuracy there", evaluation, "accuracy_above_threshold", right)
    calibration = evaluation["calibration"]
    error = calibration["expected_calibration_error"]
    yield f"{'calibration error':<20} {error:6.3f}  expected, over {calibration['binning']}"
    yield f"{'risk and coverage':<20} {evaluation['risk_coverage_area']:6.3f}  area under the curve, 0 at best"
    if evaluation["for_precision"]:
        yield from _threshold_lines(evaluation["for_precision"], evaluation["n"], directory)
    if evaluation["unanswered"]:
        yield f"left out, for want of an answer of the endpoint: {evaluation['unanswered']}"
    yield from _class_table(evaluation["per_class"])


def _threshold_lines(found: Mapping[str, Any], n: int, directory: Path) -> Iterable[str]:
    if found["is_reached"]:
        yield f"{found['precision']:.4g} of what passes is right from a threshold of {found['threshold']} on"
    else:
        yield f"no threshold reaches a precision of {found['precision']:.4g} here; the best is at {found['threshold']}"
    yield _line("  coverage", found, "coverage", f"{found['n_above_threshold']} of {n}")
    right = f"{found['correct_above_threshold']} of {found['n_above_threshold']}"
    yield _line("  precision", found, "accuracy_above_threshold", right)
    if found["is_reached"]:
        yield f"  to use it: threshold = {found['threshold']} in terraform/environments/{directory.name}.tfvars,"
        yield f"  then `{make('up', directory)}`; it was chosen on these images: on others expect less"


def _line(title: str, evaluation: Mapping[str, Any], name: str, counts: str) -> str:
    if evaluation[name] is None:
        return f"{title:<20} none: no image is at or above the threshold"
    low, high = evaluation[f"{name}_interval"]
    return f"{title:<20} {evaluation[name]:6.1%}  {low:.1%} to {high:.1%} (95 %), {counts}"


def _class_table(per_class: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """The weakest classes, within 80 columns."""
    yield f"{'class':<30}{'images':>7}{'precision':>11}{'recall':>9}"
    for score in per_class[:MOST_CLASSES_PRINTED]:
        filled = round((score["recall"] or 0) * BAR)
        yield (
            f"{score['class'][:30]:<30}{score['images']:>7}{_percent(score['precision']):>11}"
            f"{_percent(score['recall']):>9}  {'#' * filled:.<{BAR}}"
        )
    if len(per_class) > MOST_CLASSES_PRINTED:
        yield f"({len(per_class) - MOST_CLASSES_PRINTED} classes of higher recall are in the file)"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


if __name__ == "__main__":
    run_command(main, __doc__, options)
