"""The report's verdict on whether the model is fit for use, and the checks behind it."""

import pytest

from evaluation.report.verdict import (
    Accuracy,
    Check,
    Status,
    check_accuracy,
    check_drift,
    check_failures,
    check_gate,
    check_low_confidence,
    decide,
)

GOOD = Accuracy(0.95, (0.91, 0.97), 200)
BAD = Accuracy(0.6, (0.53, 0.67), 200)
FEW = Accuracy(0.85, (0.64, 0.95), 20)
TEST, LIVE = "accuracy on the test images", "accuracy in live traffic"


def accuracy_check(accuracy: Accuracy | None, name: str = TEST) -> Check:
    """Return the comparison of an accuracy with a minimum of 0.8."""
    return check_accuracy(name, "evaluation", accuracy, 0.8, f"no {name} was measured")


@pytest.mark.parametrize(
    ("check", "status"),
    [
        pytest.param(check_gate(True, "meets the minimum"), Status.PASSED, id="gate passed"),
        pytest.param(check_gate(False, "below the minimum"), Status.FAILED, id="gate failed"),
        pytest.param(check_gate(None, "no model was trained here"), Status.UNKNOWN, id="gate not known"),
        pytest.param(accuracy_check(GOOD), Status.PASSED, id="interval above the minimum"),
        pytest.param(accuracy_check(BAD), Status.FAILED, id="interval below the minimum"),
        pytest.param(accuracy_check(FEW), Status.UNKNOWN, id="interval contains the minimum"),
        pytest.param(check_accuracy(TEST, "live", GOOD, None, ""), Status.UNKNOWN, id="no minimum"),
        pytest.param(accuracy_check(None), Status.UNKNOWN, id="no accuracy"),
        pytest.param(accuracy_check(Accuracy(None, None, 0)), Status.UNKNOWN, id="no labelled images"),
        pytest.param(check_drift([], is_confirmed=False, missing=""), Status.PASSED, id="no drift"),
        pytest.param(check_drift(["brightness"], is_confirmed=False, missing=""), Status.FAILED, id="drift"),
        pytest.param(check_drift(["brightness"], is_confirmed=True, missing=""), Status.PASSED, id="confirmed drift"),
        pytest.param(check_drift(None, is_confirmed=False, missing="none"), Status.UNKNOWN, id="drift not known"),
        pytest.param(check_failures(1, 100), Status.PASSED, id="few failures"),
        pytest.param(check_failures(2, 100), Status.FAILED, id="many failures"),
        pytest.param(check_failures(0, 0), Status.UNKNOWN, id="no executions"),
        pytest.param(check_low_confidence(50, 100), Status.PASSED, id="half of the images are below the threshold"),
        pytest.param(
            check_low_confidence(51, 100), Status.FAILED, id="more than half of the images are below the threshold"
        ),
        pytest.param(check_low_confidence(19, 19), Status.UNKNOWN, id="too few executions"),
        pytest.param(check_low_confidence(0, 0), Status.UNKNOWN, id="no images"),
    ],
)
def test_check_has_the_status_that_its_rule_gives(check: Check, status: Status) -> None:
    assert check.status is status


def test_finding_contains_the_accuracy_even_if_the_minimum_is_not_known() -> None:
    finding = check_accuracy(TEST, "evaluation", GOOD, None, "no test images were evaluated").finding
    assert finding.startswith("the accuracy on the test images is 95.0% (91.0% to 97.0%, 200 images), but the minimum")


def test_model_is_fit_for_use_if_no_check_fails_and_one_accuracy_check_passes() -> None:
    # GIVEN
    checks = [check_gate(None, "no model was trained here"), accuracy_check(GOOD), accuracy_check(None, LIVE)]

    # WHEN
    verdict = decide(checks, accuracies=(TEST, LIVE), is_synthetic=False)

    # THEN the reason lists the checks whose results are not known
    assert verdict.title == "Fit for use"
    assert verdict.reason == (
        "The accuracy on the test images is 95.0% (91.0% to 97.0%, 200 images); "
        "not known: quality gate, accuracy in live traffic."
    )


def test_model_is_not_fit_for_use_if_any_check_fails() -> None:
    # GIVEN
    checks = [
        accuracy_check(GOOD),
        accuracy_check(BAD, LIVE),
        check_drift(["sharpness"], is_confirmed=False, missing=""),
    ]

    # WHEN
    verdict = decide(checks, accuracies=(TEST, LIVE), is_synthetic=False)

    # THEN
    assert verdict.title == "Not fit for use"
    assert verdict.reason == (
        "The accuracy in live traffic is 60.0% (53.0% to 67.0%, 200 images), below the minimum of 80.0%; "
        "the traffic has drifted (sharpness)."
    )


def test_verdict_is_not_known_without_an_accuracy() -> None:
    # WHEN
    verdict = decide([check_gate(True, "ok"), accuracy_check(None)], accuracies=(TEST,), is_synthetic=False)

    # THEN
    assert (verdict.title, verdict.reason) == ("Not known", "No accuracy on the test images was measured.")


def test_verdict_is_not_known_if_the_accuracy_was_measured_on_synthetic_images() -> None:
    # WHEN
    verdict = decide([accuracy_check(GOOD)], accuracies=(TEST,), is_synthetic=True)

    # THEN
    assert verdict.status is Status.UNKNOWN
    assert "synthetic" in verdict.reason


def test_failed_executions_decide_the_verdict_even_with_synthetic_images() -> None:
    # WHEN
    verdict = decide([accuracy_check(GOOD), check_failures(5, 10)], accuracies=(TEST,), is_synthetic=True)

    # THEN
    assert verdict.reason == "5 of 10 executions failed for another reason than the image or the threshold."
