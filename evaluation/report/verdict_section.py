"""Collect the results on which the verdict depends."""

from collections.abc import Callable
from dataclasses import replace

from evaluation.execution_metrics import IMAGE_ERRORS
from evaluation.executions import BELOW_THRESHOLD, outcome
from evaluation.live.results import is_mostly_covered
from evaluation.report.drift_section import DECIDED, drifted_properties, latest_result
from evaluation.report.results import Results
from evaluation.report.verdict import (
    Accuracy,
    Check,
    Status,
    Verdict,
    check_accuracy,
    check_drift,
    check_failures,
    check_gate,
    check_low_confidence,
    decide,
)
from registry.model_registry import version_number

TEST_ACCURACY, LIVE_ACCURACY = "accuracy on the test images", "accuracy in live traffic"
NO_TEST, NO_LIVE = "no test images were evaluated", "no labelled images of live traffic were evaluated"
NOT_REVIEWED = "{}, but {} of the {} captured images are older or newer than all reviewed ones"
NO_SAMPLE = "the labelled images are not a random sample of live traffic"


def decide_on(results: Results) -> Verdict:
    """Return the verdict on the model in use."""
    data = results.evaluation or results.run or results.training
    no_test, no_live = (f"the {name} cannot be read" for name in (TEST_ACCURACY, LIVE_ACCURACY))
    no_drift, no_executions = "the comparison with the training data cannot be read", "the executions cannot be read"
    checks = [
        _guard(gate, results, check_gate(None, "the result of the quality gate cannot be read"), "training"),
        _guard(test_accuracy, results, check_accuracy(TEST_ACCURACY, "evaluation", None, None, no_test), "evaluation"),
        _guard(live_accuracy, results, check_accuracy(LIVE_ACCURACY, "live", None, None, no_live), "live"),
        _guard(drift, results, check_drift(None, is_confirmed=False, missing=no_drift), "drift"),
        _guard(failures, results, check_failures(0, 0, missing=no_executions), "outcomes", "run"),
        _guard(low_confidence, results, check_low_confidence(0, 0, missing=no_executions), "outcomes", "run"),
    ]
    return decide(
        checks,
        accuracies=(TEST_ACCURACY, LIVE_ACCURACY),
        is_synthetic=bool(data and data["synthetic"]),
    )


def _guard(check: Callable[[Results], Check], results: Results, unread: Check, *fields: str) -> Check:
    """Return a check, or `unread` if its results cannot be read, so that the rest of the page is still rendered.

    Parameters
    ----------
    fields : names of the fields of `Results` of which the check needs at least one
    """
    if not any(getattr(results, name) for name in fields) and any(name in results.problems for name in fields):
        return unread
    try:
        return check(results)
    except Exception as error:  # a result file may have any content
        return replace(unread, finding=f"{unread.finding} ({type(error).__name__})")


def version_name(arn: str | None) -> str | None:
    """Return the version in a model package's ARN, such as `v2`."""
    return f"v{version_number(arn)}" if arn else None


def of_other_model(results: Results, model: str | None) -> str | None:
    """Return a finding if a result belongs to another model than the model in use, otherwise None."""
    if results.in_use in (None, model):
        return None
    return f"the result is of {model or 'an unknown model'}, but {results.in_use} is in use"


def gate(results: Results) -> Check:
    """Return the check of the quality gate of the model in use."""
    training, run = results.training, results.run
    if training is None:
        return check_gate(None, "no model was trained from this clone")
    in_use = results.in_use or version_name((run or training)["model_package_arn"])
    if in_use != version_name(training["model_package_arn"]):
        return check_gate(None, "the latest trained model is not the model in use")
    return check_gate(bool(training["quality_gate"]["passed"]), training["quality_gate"]["reason"])


def test_accuracy(results: Results) -> Check:
    """Return the check of the accuracy on the test images."""
    evaluation = results.evaluation
    if other := evaluation and of_other_model(results, version_name(evaluation["model_package_arn"])):
        return check_accuracy(TEST_ACCURACY, "evaluation", None, results.minimum_accuracy, other)
    measured = evaluation and Accuracy(evaluation["accuracy"], evaluation["accuracy_interval"], evaluation["n"])
    return check_accuracy(TEST_ACCURACY, "evaluation", measured or None, results.minimum_accuracy, NO_TEST)


def live_accuracy(results: Results) -> Check:
    """Return the check of the accuracy in live traffic: the estimate for all traffic or that of the audit sample."""
    found = results.live
    if other := found and of_other_model(results, found["model"]):
        return check_accuracy(LIVE_ACCURACY, "live", None, results.minimum_accuracy, other)
    traffic = found["traffic"]["figures"]["accuracy"] if found and found["traffic"] else None
    estimate = traffic or (found["audit"] if found else None)
    measured = estimate and Accuracy(estimate["value"], estimate["interval"], estimate["n"])
    missing = NO_SAMPLE if found and found["labelled"] else NO_LIVE
    check = check_accuracy(LIVE_ACCURACY, "live", measured or None, results.minimum_accuracy, missing)
    if check.status is not Status.PASSED or not found or not (reviewed := found["reviewed"]):
        return check
    if is_mostly_covered(reviewed, found["records"]):
        return check
    finding = NOT_REVIEWED.format(check.finding, reviewed["not_covered"], found["records"])
    return replace(check, status=Status.UNKNOWN, finding=finding)


def drift(results: Results) -> Check:
    """Return the check of the latest comparison with the baseline.

    Labelled images of the same traffic are stronger evidence than a property that has drifted.
    """
    latest = latest_result(results.drift, results.in_use) if results.drift else None
    if latest is None:
        return check_drift(None, is_confirmed=False, missing="the traffic was not compared with the training data")
    if other := of_other_model(results, latest["model"]):
        return check_drift(None, is_confirmed=False, missing=other)
    if latest["figures"]["outcome"] not in DECIDED:
        return check_drift(None, is_confirmed=False, missing=latest["figures"]["reason"])
    reviewed = results.live and results.live["reviewed"]
    is_same_time = reviewed and reviewed["start"] < latest["end"] and reviewed["end"] >= latest["start"]
    is_confirmed = bool(is_same_time) and live_accuracy(results).status is Status.PASSED
    return check_drift(drifted_properties(latest["figures"]), is_confirmed=is_confirmed, missing="")


def failures(results: Results) -> Check:
    """Return the check of failed executions in the time range or, if there are none, in the last run."""
    if results.outcomes and results.outcomes.total:
        return check_failures(results.outcomes.failures, results.outcomes.total)
    if other := run_of_other_model(results):
        return check_failures(0, 0, missing=other)
    found = run_outcomes(results)
    expected = {"SUCCEEDED", "ABORTED", BELOW_THRESHOLD, *IMAGE_ERRORS}
    return check_failures(sum(name not in expected for name in found), len(found))


def low_confidence(results: Results) -> Check:
    """Return the check of images below the threshold in the time range or, if there are none, in the last run."""
    if results.outcomes and results.outcomes.total:
        return check_low_confidence(results.outcomes.low_confidence, results.outcomes.classified)
    if other := run_of_other_model(results):
        return check_low_confidence(0, 0, missing=other)
    found = run_outcomes(results)
    low = found.count(BELOW_THRESHOLD)
    return check_low_confidence(low, low + found.count("SUCCEEDED"))


def run_of_other_model(results: Results) -> str | None:
    """Return a finding if the last run used another model than the model in use, otherwise None."""
    return results.run and of_other_model(results, version_name(results.run["model_package_arn"]))


def run_outcomes(results: Results) -> list[str]:
    """Return the outcome of each execution of the last run."""
    return [outcome(execution) for execution in results.run["executions"]] if results.run else []
