import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.files import StepMissingError, write_json
from evaluation.results import read_run
from evaluation.staged import Staged
from scripts.evaluate import NothingToEvaluateError, StaleRunError, check_fresh, evaluate, share, summary
from tests.unit.evaluation.runs import make_execution, make_run
from tests.unit.stacks import make_stack

KEYS = [f"test/{letter}.png" for letter in "abcde"]
# bicycle 0.99 right, motorcycle 0.95 called bicycle, motorcycle 0.97 right, bicycle 0.6 right, no answer
ANSWERS = ([0.99, 0.01], [0.95, 0.05], [0.03, 0.97], [0.6, 0.4], None)
LABELS = dict(zip(KEYS, (0, 1, 1, 0, 0), strict=True))


def make_executions() -> list[Any]:
    return [make_execution(key, answer) for key, answer in zip(KEYS, ANSWERS, strict=True)]


def make_staged(**changes: Any) -> Staged:
    content: dict[str, Any] = {
        "source": "CIFAR-100",
        "classes": ("bicycle", "motorcycle"),
        "labels": LABELS,
        "md5s": {},
        "fingerprint": "0123abcd",
    }
    return Staged(**{**content, **changes})


def test_the_figures_are_counted_from_labels_and_answers() -> None:
    # WHEN
    found = evaluate(make_run(make_executions()), LABELS)

    # THEN
    assert found["n"] == 4
    assert found["unanswered"] == 1
    assert found["accuracy"] == 0.75
    assert found["confusion"] == [[2, 0], [1, 1]]
    assert found["threshold"] == 0.93
    assert found["coverage"] == 0.75
    assert found["accuracy_above_threshold"] == pytest.approx(2 / 3)
    assert found["outcomes"] == {"SUCCEEDED": 3, "THRESHOLD_CONFIDENCE_NOT_MET": 2}
    assert found["source"].startswith("CIFAR-100")


def test_mistakes_are_named_the_most_confident_first() -> None:
    # GIVEN one more, less sure
    executions = [*make_executions(), make_execution("test/f.png", [0.3, 0.7])]

    # WHEN
    found = evaluate(make_run(executions), {**LABELS, "test/f.png": 0})

    # THEN
    assert [mistake["s3_key"] for mistake in found["mistakes"]] == ["test/b.png", "test/f.png"]
    assert found["mistakes"][0]["label"] == "motorcycle"
    assert found["mistakes"][0]["predicted"] == "bicycle"


def test_a_confidence_at_the_threshold_passes_as_it_does_in_the_filter() -> None:
    assert evaluate(make_run([make_execution("test/a.png", [0.93, 0.07])]), LABELS)["coverage"] == 1


def test_where_nothing_passes_there_is_no_accuracy_of_it(tmp_path: Path) -> None:
    # WHEN
    found = evaluate(make_run([make_execution("test/a.png", [0.6, 0.4])]), LABELS)

    # THEN
    assert found["coverage"] == 0
    assert found["accuracy_above_threshold"] is None
    assert any("no image is at or above" in line for line in summary(found, tmp_path))
    write_json(tmp_path / "evaluation.json", found)


@pytest.mark.parametrize("classes", [2, 3, 100], ids="{} classes".format)
def test_any_number_of_classes_can_be_evaluated(classes: int) -> None:
    # GIVEN each class once, all told right
    names = [f"class_{number}_of_a_name_that_is_long" for number in range(classes)]
    executions = [make_execution(f"test/{number}.png", row) for number, row in enumerate(np.eye(classes).tolist())]
    labels = {f"test/{number}.png": number for number in range(classes)}

    # WHEN
    found = evaluate(make_run(executions, classes=names), labels)

    # THEN
    assert found["confusion"] == np.eye(classes).astype(int).tolist()
    assert [score["recall"] for score in found["per_class"]] == [1.0] * classes
    _source, *lines = summary(found, Path("build/local"))
    assert all(len(line) <= 80 for line in lines)


def make_judged(*answers: tuple[float, bool]) -> dict[str, Any]:
    """An evaluation's arguments: images of class 0 by confidence, and whether they were called so."""
    executions = [
        make_execution(f"test/{number}.png", [sure, 1 - sure] if right else [1 - sure, sure])
        for number, (sure, right) in enumerate(answers)
    ]
    return {"run": make_run(executions), "labels": dict.fromkeys((each["s3_key"] for each in executions), 0)}


def test_the_threshold_for_a_precision_is_told_with_what_it_costs_and_how_it_is_set() -> None:
    # GIVEN
    given = make_judged((0.97, True), (0.9, True), (0.8, False), (0.7, True))

    # WHEN
    found = evaluate(**given, precision=0.9)

    # THEN
    wanted = found["for_precision"]
    assert (wanted["threshold"], wanted["is_reached"]) == (0.9, True)
    assert (wanted["coverage"], wanted["accuracy_above_threshold"]) == (0.5, 1.0)
    assert wanted["accuracy_above_threshold_interval"] == pytest.approx((0.342, 1.0), abs=1e-3)
    text = "\n".join(summary(found, Path("build/dev")))
    assert "threshold = 0.9 in terraform/environments/dev.tfvars" in text
    assert "make up ENV=dev" in text


def test_a_precision_that_no_threshold_reaches_is_said_with_the_best_one() -> None:
    # GIVEN a surest image that is wrong
    given = make_judged((0.97, False), (0.9, True), (0.8, True), (0.7, False))

    # WHEN
    found = evaluate(**given, precision=0.9)

    # THEN
    assert not found["for_precision"]["is_reached"]
    text = "\n".join(summary(found, Path("build/local")))
    assert "no threshold reaches a precision of 0.9 here; the best is at 0.8" in text
    assert "66.7%" in text
    assert "tfvars" not in text


def test_without_a_wanted_precision_there_is_none() -> None:
    assert evaluate(**make_judged((0.97, True)))["for_precision"] is None


@pytest.mark.parametrize("text", ["0", "1.01", "-1", "98%", "nan", ""])
def test_a_precision_that_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no share"):
        share(text)


def test_the_weakest_classes_and_the_most_frequent_confusions_come_first() -> None:
    # GIVEN three classes: of the first all are right, of the second none, of the third one of two; a fourth has none
    answers = {"a": (0, 0), "b": (1, 2), "c": (1, 2), "d": (2, 2), "e": (2, 0)}
    executions = [make_execution(key, np.eye(4)[called].tolist()) for key, (_, called) in answers.items()]
    labels = {key: label for key, (label, _) in answers.items()}

    # WHEN
    found = evaluate(make_run(executions, classes=["one", "two", "three", "four"]), labels)

    # THEN
    assert [score["class"] for score in found["per_class"]] == ["two", "three", "one", "four"]
    assert found["confusions"] == [
        {"label": "two", "predicted": "three", "images": 2, "of": 2},
        {"label": "three", "predicted": "one", "images": 1, "of": 2},
    ]


def test_a_run_without_any_answer_cannot_be_evaluated() -> None:
    with pytest.raises(NothingToEvaluateError):
        evaluate(make_run([make_execution("test/a.png", None)]), LABELS)


def test_a_run_of_what_is_deployed_and_staged_is_fresh() -> None:
    check_fresh(make_run([]), make_stack(), make_staged(), Path("build/local"))


@pytest.mark.parametrize(
    ("stack", "staged", "what"),
    [
        pytest.param({"endpoint_config_name": "new"}, {}, "endpoint configuration", id="endpoint"),
        pytest.param({"threshold": 0.5}, {}, "threshold", id="threshold"),
        pytest.param({}, {"fingerprint": "other"}, "test images", id="images"),
        pytest.param({"state_machine_arn": "new"}, {}, "state machine", id="state machine"),
    ],
)
def test_a_run_of_something_else_is_stale(stack: dict[str, Any], staged: dict[str, Any], what: str) -> None:
    with pytest.raises(StaleRunError, match=f"another {what}: run `make run ENV=local` again"):
        check_fresh(make_run([]), make_stack(**stack), make_staged(**staged), Path("build/local"))


@pytest.mark.parametrize("content", [None, "{", '{"source": "x"}'], ids=["no run yet", "broken", "of another version"])
def test_a_run_that_cannot_be_read_names_the_target(tmp_path: Path, content: str | None) -> None:
    # GIVEN
    if content is not None:
        (tmp_path / "run.json").write_text(content)

    # WHEN / THEN
    with pytest.raises(StepMissingError, match="make run ENV="):
        read_run(tmp_path)


def test_the_summary_says_what_it_stands_on() -> None:
    # GIVEN
    found = evaluate(make_run(make_executions(), source="sample drawn by this project (seed 0)"), LABELS)

    # WHEN
    lines = list(summary(found, Path("build/local")))

    # THEN
    assert lines[0] == "source: sample drawn by this project (seed 0)"
    assert "nothing about photographs" in lines[1]
    assert any("75.0%" in line and "3 of 4" in line for line in lines)
