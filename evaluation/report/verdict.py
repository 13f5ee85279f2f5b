"""Decide whether the model in use is fit for use, by stated rules.

Each check compares one result with a limit. The model is not fit for use if a check fails. The model is fit for use if
no check fails, the accuracy on the test images or in live traffic reaches the minimum, and the images are not
synthetic. In all other cases, the verdict is not known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from evaluation.metrics import percent
from evaluation.report.formats import interval_short, joined, sentence

MAX_FAILURE_SHARE = 0.01  # maximum proportion of executions that failed for another reason than image or threshold
MAX_LOW_CONFIDENCE_SHARE = 0.5  # equals the limit of the alarm workflow-low-confidence
NO_EXECUTION = "no execution has ended"
NO_PREDICTION = "no image was classified"
MIN_EXECUTIONS = 20  # minimum number for a proportion to be meaningful, also in the alarm workflow-low-confidence


class Status(Enum):
    """The result of a check, and of the verdict."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "not known"


@dataclass(frozen=True)
class Check:
    """One comparison of a result with a limit.

    Attributes
    ----------
    name : name of the check
    section : name of the report's section that contains the details
    finding : result of the check, as a clause of a sentence
    rule : condition under which the check passes
    """

    name: str
    section: str
    status: Status
    finding: str
    rule: str


@dataclass(frozen=True)
class Accuracy:
    """An accuracy with its 95 % interval; both are None if `n` is 0.

    Attributes
    ----------
    n : number of labelled images
    """

    value: float | None
    interval: tuple[float, float] | None
    n: int


@dataclass(frozen=True)
class Verdict:
    """Whether the model in use is fit for use.

    Attributes
    ----------
    title : "Fit for use", "Not fit for use" or "Not known"
    reason : one sentence
    """

    status: Status
    title: str
    reason: str
    checks: Sequence[Check]


def check_gate(passed: bool | None, reason: str) -> Check:
    """Return the check of the quality gate's result; `passed` is None if it is not known for the model in use."""
    status = Status.UNKNOWN if passed is None else Status.PASSED if passed else Status.FAILED
    verb = {Status.PASSED: "passed", Status.FAILED: "failed"}.get(status)
    finding = f"the model {verb} the quality gate ({reason})" if verb else reason
    return Check("quality gate", "lineage", status, finding, "the model passed the quality gate when it was trained")


def check_accuracy(name: str, section: str, accuracy: Accuracy | None, minimum: float | None, missing: str) -> Check:
    """Return the check of an accuracy against the minimum accuracy of the environment's settings.

    Parameters
    ----------
    name : name of the check, such as "accuracy on the test images"
    missing : finding if there is no accuracy
    """
    rule = f"the 95 % interval is above the minimum accuracy{'' if minimum is None else f' of {percent(minimum)}'}"
    if accuracy is None or accuracy.value is None or accuracy.interval is None:
        return Check(name, section, Status.UNKNOWN, missing, rule)
    low, high = accuracy.interval
    measured = f"the {name} is {percent(accuracy.value)} ({interval_short(accuracy.interval)}, {accuracy.n} images)"
    if minimum is None:
        finding = f"{measured}, but the minimum accuracy cannot be read in the environment's settings"
        return Check(name, section, Status.UNKNOWN, finding, rule)
    if low >= minimum:
        return Check(name, section, Status.PASSED, measured, rule)
    if high < minimum:
        finding = f"{measured}, below the minimum of {percent(minimum)}"
        return Check(name, section, Status.FAILED, finding, rule)
    finding = f"{measured}: too few images to tell whether it reaches the minimum of {percent(minimum)}"
    return Check(name, section, Status.UNKNOWN, finding, rule)


def check_drift(drifted: Sequence[str] | None, *, is_confirmed: bool, missing: str) -> Check:
    """Return the check of drift.

    Parameters
    ----------
    drifted : names of the properties that have drifted; None if nothing was compared
    is_confirmed : whether labelled images of the same time confirm the accuracy
    missing : finding if nothing was compared
    """
    rule = "no property of the traffic has drifted, or labelled images of the same time confirm the accuracy"
    if drifted is None:
        return Check("drift", "drift", Status.UNKNOWN, missing, rule)
    if not drifted:
        return Check("drift", "drift", Status.PASSED, "the traffic has not drifted", rule)
    finding = f"the traffic has drifted ({joined(drifted)})"
    if is_confirmed:
        return Check("drift", "drift", Status.PASSED, f"{finding}, but labelled images confirm the accuracy", rule)
    return Check("drift", "drift", Status.FAILED, finding, rule)


def check_failures(failed: int, total: int, *, missing: str = NO_EXECUTION) -> Check:
    """Return the check of the executions that failed for another reason than the image or the threshold.

    Parameters
    ----------
    missing : finding if `total` is 0
    """
    rule = f"at most {percent(MAX_FAILURE_SHARE)} failed for another reason than the image or the threshold"
    if not total:
        return Check("failed executions", "executions", Status.UNKNOWN, missing, rule)
    status = Status.FAILED if failed > MAX_FAILURE_SHARE * total else Status.PASSED
    finding = f"{failed} of {total} executions failed for another reason than the image or the threshold"
    return Check("failed executions", "executions", status, finding, rule)


def check_low_confidence(low: int, total: int, *, missing: str = NO_PREDICTION) -> Check:
    """Return the check of the proportion of images below the threshold.

    Parameters
    ----------
    missing : finding if `total` is 0
    """
    rule = f"at most {percent(MAX_LOW_CONFIDENCE_SHARE)} of at least {MIN_EXECUTIONS} images are below the threshold"
    name, section = "low confidence", "executions"
    if total < MIN_EXECUTIONS:
        finding = f"{total} executions are too few" if total else missing
        return Check(name, section, Status.UNKNOWN, finding, rule)
    status = Status.FAILED if low > MAX_LOW_CONFIDENCE_SHARE * total else Status.PASSED
    return Check(name, section, status, f"{low} of {total} images are below the threshold", rule)


def decide(checks: Sequence[Check], *, accuracies: Sequence[str], is_synthetic: bool) -> Verdict:
    """Return the verdict.

    Parameters
    ----------
    accuracies : names of the accuracy checks, at least one of which must pass
    is_synthetic : whether the images were drawn by this project, so that their accuracy says nothing about photographs
    """
    if failed := _findings(checks, Status.FAILED):
        return Verdict(Status.FAILED, "Not fit for use", sentence("; ".join(failed)), checks)
    measured = [check for check in checks if check.name in accuracies]
    passed = _findings(measured, Status.PASSED)
    if passed and not is_synthetic:
        unknown = [check.name for check in checks if check.status is Status.UNKNOWN]
        rest = f"; not known: {', '.join(unknown)}" if unknown else ""
        return Verdict(Status.PASSED, "Fit for use", sentence(f"{joined(passed)}{rest}"), checks)
    reason = (
        "the images are synthetic, so the results show that the workflow works, and say nothing about photographs"
        if is_synthetic
        else "; ".join(_findings(measured, Status.UNKNOWN))
    )
    return Verdict(Status.UNKNOWN, "Not known", sentence(reason), checks)


def _findings(checks: Sequence[Check], status: Status) -> list[str]:
    return [check.finding for check in checks if check.status is status]
