"""Evaluation of the predictions of `make run`: metrics, thresholds, and whether the results are current."""

from typing import Any

import numpy as np
import pytest

from common.errors import OperatorError
from common.files import write_json
from evaluation.evaluate import check_run_is_current, evaluate, summary
from tests.unit.evaluation.runs import make_execution, make_run
from tests.unit.stacks import make_stack

KEYS = [f"test/{letter}.png" for letter in "abcde"]
# Correct with confidence 0.99; a motorcycle that is misclassified with confidence 0.95; correct with confidence 0.97;
# correct with confidence 0.6; no prediction
PREDICTIONS = ([0.99, 0.01], [0.95, 0.05], [0.03, 0.97], [0.6, 0.4], None)
LABELS = dict(zip(KEYS, (0, 1, 1, 0, 0), strict=True))


def make_executions() -> list[Any]:
    """Return the results of executions with these keys and predictions."""
    return [make_execution(key, prediction) for key, prediction in zip(KEYS, PREDICTIONS, strict=True)]


def current(**changes: Any) -> dict[str, Any]:
    """Return arguments of `check_run_is_current` that match a run of `make_run`; `changes` replace arguments."""
    stack = make_stack()
    arguments = {
        "endpoint_config": stack.endpoint_config_name,
        "state_machine_arn": stack.state_machine_arn,
        "threshold": stack.threshold,
        "classes": stack.classes,
        "images": "0123abcd",
        "environment": "local",
    }
    return {**arguments, **changes}


def test_metrics_are_computed_from_labels_and_predictions() -> None:
    # WHEN
    evaluation = evaluate(make_run(make_executions()), LABELS)

    # THEN
    assert evaluation["n"] == 4
    assert evaluation["without_prediction"] == 1
    assert evaluation["accuracy"] == 0.75
    assert evaluation["confusion"] == [[2, 0], [1, 1]]
    assert evaluation["threshold"] == 0.93
    assert evaluation["coverage"] == 0.75
    assert evaluation["accuracy_above_threshold"] == pytest.approx(2 / 3)
    assert evaluation["outcomes"] == {"SUCCEEDED": 3, "THRESHOLD_CONFIDENCE_NOT_MET": 1, "EndpointUnavailableError": 1}
    assert evaluation["source"].startswith("CIFAR-100")


def test_mistakes_are_listed_by_descending_confidence() -> None:
    # GIVEN a second mistake with a lower confidence
    executions = [*make_executions(), make_execution("test/f.png", [0.3, 0.7])]

    # WHEN
    evaluation = evaluate(make_run(executions), {**LABELS, "test/f.png": 0})

    # THEN
    assert [mistake["s3_key"] for mistake in evaluation["mistakes"]] == ["test/b.png", "test/f.png"]
    assert evaluation["mistakes"][0]["label"] == "motorcycle"
    assert evaluation["mistakes"][0]["predicted"] == "bicycle"


def test_a_confidence_equal_to_the_threshold_reaches_it_as_in_the_filter_function() -> None:
    assert evaluate(make_run([make_execution("test/a.png", [0.93, 0.07])]), LABELS)["coverage"] == 1


def test_accuracy_above_the_threshold_is_none_if_no_image_reaches_it(tmp_path: Any) -> None:
    # WHEN
    evaluation = evaluate(make_run([make_execution("test/a.png", [0.6, 0.4])]), LABELS)

    # THEN
    assert evaluation["coverage"] == 0
    assert evaluation["accuracy_above_threshold"] is None
    assert any("no image is at or above" in line for line in summary(evaluation, "local"))
    write_json(tmp_path / "evaluation.json", evaluation)


@pytest.mark.parametrize("classes", [2, 3, 100], ids="{} classes".format)
def test_any_number_of_classes_can_be_evaluated(classes: int) -> None:
    # GIVEN one correctly classified image of each class
    names = [f"class_{number}_of_a_name_that_is_long" for number in range(classes)]
    executions = [make_execution(f"test/{number}.png", row) for number, row in enumerate(np.eye(classes).tolist())]
    labels = {f"test/{number}.png": number for number in range(classes)}

    # WHEN
    evaluation = evaluate(make_run(executions, classes=names), labels)

    # THEN
    assert evaluation["confusion"] == np.eye(classes).astype(int).tolist()
    assert [metrics["recall"] for metrics in evaluation["per_class"]] == [1.0] * classes
    _source, *lines = summary(evaluation, "local")
    assert all(len(line) <= 80 for line in lines)


def make_arguments(*predictions: tuple[float, bool]) -> dict[str, Any]:
    """Return arguments of `evaluate` for images of class 0.

    Parameters
    ----------
    predictions : for each image, the confidence, and whether the prediction is correct
    """
    executions = [
        make_execution(f"test/{number}.png", [confidence, 1 - confidence] if correct else [1 - confidence, confidence])
        for number, (confidence, correct) in enumerate(predictions)
    ]
    return {"run": make_run(executions), "labels": dict.fromkeys((each["s3_key"] for each in executions), 0)}


def test_the_threshold_for_a_precision_is_reported_with_its_coverage_and_command() -> None:
    # GIVEN
    arguments = make_arguments((0.97, True), (0.9, True), (0.8, False), (0.7, True))

    # WHEN
    evaluation = evaluate(**arguments, precision=0.9)

    # THEN
    found = evaluation["for_precision"]
    assert found
    assert (found["threshold"], found["is_reached"]) == (0.9, True)
    assert (found["coverage"], found["accuracy_above_threshold"]) == (0.5, 1.0)
    assert found["accuracy_above_threshold_interval"] == pytest.approx((0.342, 1.0), abs=1e-3)
    text = "\n".join(summary(evaluation, "dev"))
    assert "`make threshold VALUE=0.9 ENV=dev`, then `make up`" in text


def test_the_threshold_with_the_highest_precision_is_named_if_no_threshold_reaches_the_precision() -> None:
    # GIVEN four images, of which the image with the highest confidence is misclassified
    arguments = make_arguments((0.97, False), (0.9, True), (0.8, True), (0.7, False))

    # WHEN
    evaluation = evaluate(**arguments, precision=0.9)

    # THEN
    assert evaluation["for_precision"]
    assert not evaluation["for_precision"]["is_reached"]
    text = "\n".join(summary(evaluation, "local"))
    assert "no threshold reaches a precision of 0.9; the highest precision is at 0.8" in text
    assert "66.7%" in text
    assert "tfvars" not in text


def test_no_threshold_is_computed_without_a_target_precision() -> None:
    assert evaluate(**make_arguments((0.97, True)))["for_precision"] is None


def test_classes_are_listed_by_ascending_recall_and_confusions_by_descending_frequency() -> None:
    # GIVEN four classes: "one" has a recall of 1, "two" a recall of 0, "three" a recall of 0.5, and "four" no images
    predictions = {"a": (0, 0), "b": (1, 2), "c": (1, 2), "d": (2, 2), "e": (2, 0)}
    executions = [make_execution(key, np.eye(4)[predicted].tolist()) for key, (_, predicted) in predictions.items()]
    labels = {key: label for key, (label, _) in predictions.items()}

    # WHEN
    evaluation = evaluate(make_run(executions, classes=["one", "two", "three", "four"]), labels)

    # THEN
    assert [metrics["class"] for metrics in evaluation["per_class"]] == ["two", "three", "one", "four"]
    assert evaluation["confusions"] == [
        {"label": "two", "predicted": "three", "images": 2, "of": 2},
        {"label": "three", "predicted": "one", "images": 1, "of": 2},
    ]


def test_a_run_without_predictions_is_an_error() -> None:
    with pytest.raises(OperatorError, match="no execution of the last run got a prediction"):
        evaluate(make_run([make_execution("test/a.png", None)]), LABELS)


def test_a_run_of_the_deployed_stack_on_the_staged_images_is_current() -> None:
    check_run_is_current(make_run([]), **current())


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        pytest.param({"endpoint_config": "new"}, "endpoint configuration", id="endpoint"),
        pytest.param({"threshold": 0.5}, "threshold", id="threshold"),
        pytest.param({"images": "other"}, "test images", id="images"),
        pytest.param({"state_machine_arn": "new"}, "state machine", id="state machine"),
        pytest.param({"classes": ("bus", "tank")}, "classes", id="classes"),
    ],
)
def test_a_run_of_a_different_stack_or_on_different_images_is_refused(changes: dict[str, Any], name: str) -> None:
    with pytest.raises(OperatorError, match=f"changed since the last run: {name}. Run `make run ENV=local` again"):
        check_run_is_current(make_run([]), **current(**changes))


def test_the_summary_names_the_data_set_and_has_a_warning_for_synthetic_images() -> None:
    # GIVEN
    evaluation = evaluate(make_run(make_executions(), source="some data set", synthetic=True), LABELS)

    # WHEN
    lines = list(summary(evaluation, "local"))

    # THEN
    assert lines[0] == "source: some data set"
    assert "nothing about photographs" in lines[1]
    assert any("75.0%" in line and "3 of 4" in line for line in lines)
    assert "photographs" not in "\n".join(summary({**evaluation, "synthetic": False}, "local"))
