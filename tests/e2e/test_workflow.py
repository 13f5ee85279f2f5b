"""The whole workflow, by the targets that a person types."""

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from staging import draw_archive
from tests.e2e.conftest import Project

pytestmark = pytest.mark.e2e


def read(project: Project, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((project.path / "build" / "local" / name).read_text())
    return content


def test_the_drawn_sample_goes_from_nothing_to_a_report_and_back(make_project: Callable[[str], Project]) -> None:
    # GIVEN a clone, in which nothing runs
    project = make_project("sample")

    # WHEN a step is said before its ground is laid, THEN it names the target that lays it
    assert "make up" in project.make("stage", "SOURCE=sample", succeeds=False)
    project.make("up")
    assert "make stage" in project.make("train", succeeds=False)
    assert "make train" in project.make("deploy", succeeds=False)
    assert "make stage" in project.make("run", succeeds=False)
    assert "make run" in project.make("evaluate", succeeds=False)

    # WHEN
    project.make("demo", "SOURCE=sample", "EPOCHS=2")

    # THEN every image went through, and every figure stands on what it says it stands on
    run, evaluation = read(project, "run.json"), read(project, "evaluation.json")
    assert "sample" in evaluation["source"]
    assert evaluation["classes"] == ["bicycle", "motorcycle"]
    assert evaluation["n"] == len(run["executions"]) == 200
    assert sum(map(sum, evaluation["confusion"])) == 200
    low, high = evaluation["accuracy_interval"]
    assert low < evaluation["accuracy"] < high or evaluation["accuracy"] == 1
    assert evaluation["accuracy"] > 0.8
    passed = sum(execution["status"] == "SUCCEEDED" for execution in run["executions"])
    assert evaluation["coverage"] == pytest.approx(passed / 200)
    assert {execution["error"] for execution in run["executions"]} <= {None, "THRESHOLD_CONFIDENCE_NOT_MET"}
    assert read(project, "monitoring.json")["records"] >= 200
    page = (project.path / "build" / "local" / "report.html").read_text()
    assert "sample" in page
    assert 'src="http' not in page

    # AND each answer leads back to its data, also one below the threshold
    lineage = project.make("lineage", f"EXECUTION={run['executions'][0]['arn']}", "VERIFY=1")
    assert "by v1" in lineage
    assert "train 900: bicycle 450, motorcycle 450" in lineage
    assert "in S3 are unchanged" in lineage
    assert "approved, in use" in project.make("models")
    assert "no version that was in use before" in project.make("rollback", succeeds=False)

    # AND a batch has the same answers as the workflow
    project.make("transform", "INPUT=test")
    with (project.path / "build" / "local" / "transform.csv").open(newline="") as stream:
        confidences = {row["key"]: float(row["confidence"]) for row in csv.DictReader(stream)}
    assert confidences == pytest.approx({each["s3_key"]: max(each["inferences"]) for each in run["executions"]})

    # AND the endpoint has its hours, which can be more
    assert "runs until" in project.make("extend", "HOURS=4")
    assert "HOURS is a whole number" in project.make("extend", "HOURS=0", succeeds=False)

    # AND the live stack is what the code declares, and each target can be said again
    assert "No changes" in project.make("drift")
    assert "nothing to train" in project.make("train", "EPOCHS=2")
    assert "nothing changed" in project.make("stage", "SOURCE=sample")

    # WHEN, THEN
    project.make("down")
    assert project.processes() == []
    project.make("down")
    assert project.processes() == []


def test_five_drawn_classes_go_the_whole_way(make_project: Callable[[str], Project]) -> None:
    # GIVEN a clone that is set to five classes, and few images of each
    project = make_project("five")
    classes = ["tractor", "bicycle", "bus", "motorcycle", "pickup_truck"]
    settings = project.path / "terraform" / "environments" / "local.tfvars"
    lines = [f"classes = {json.dumps(classes)}", "minimum_accuracy = 0.2", "threshold = 0.3"]
    settings.write_text("\n".join([settings.read_text(), *lines, ""]))
    archive = draw_archive(project.path / "five.tar.gz", classes=classes, train=40, test=6)

    # WHEN
    targets = ("up", "stage", "train", "deploy", "run", "evaluate", "report")
    output = project.make(*targets, f"SOURCE={archive}", "EPOCHS=2", "PRECISION=0.1")

    # THEN every figure is of all five, in the settings' order
    run, evaluation = read(project, "run.json"), read(project, "evaluation.json")
    assert run["classes"] == evaluation["classes"] == classes
    assert all(len(execution["inferences"]) == 5 for execution in run["executions"])
    assert [sum(row) for row in evaluation["confusion"]] == [6] * 5
    assert {score["class"] for score in evaluation["per_class"]} == set(classes)
    assert evaluation["accuracy"] > 0.4  # a fifth would be chance
    passed = sum(execution["status"] == "SUCCEEDED" for execution in run["executions"])
    assert evaluation["n_above_threshold"] == passed > 0
    assert evaluation["for_precision"]["is_reached"]
    assert "threshold = " in output
    assert "pickup truck" in (project.path / "build" / "local" / "report.html").read_text()


def test_shards_train_either_algorithm_on_two_hosts_or_many_times_over(make_project: Callable[[str], Project]) -> None:
    # GIVEN a clone, and few images as shards
    project = make_project("ways")
    settings = project.path / "terraform" / "environments" / "local.tfvars"
    settings.write_text("\n".join([settings.read_text(), "minimum_accuracy = 0.2", ""]))
    archive = draw_archive(project.path / "few.tar.gz", classes=["bicycle", "motorcycle"], train=60, test=6)
    project.make("up", "stage", f"SOURCE={archive}", "FORM=recordio")

    # WHEN, THEN the built-in algorithm learns from them
    small = "num_layers=20 epochs=1 mini_batch_size=10"
    project.make("train", "ALGORITHM=image-classification", f"SET={small}")

    # WHEN, THEN two hosts train one model
    settings.write_text("\n".join([settings.read_text(), "training_instance_count = 2", ""]))
    assert "in each of 2 processes" in project.make("up", "train", "EPOCHS=2")

    # WHEN, THEN a search keeps the best of its jobs
    output = project.make("tune", "EPOCHS=2", "JOBS=2", "PARALLEL=1")
    told = [float(line.split()[1]) for line in output.splitlines() if "learning_rate=" in line]
    assert len(told) == 2
    assert "best is" in output
    assert "best of 2 models, selected on the same images" in output

    # AND all three are registered
    models = project.make("models")
    assert all(f"v{number} " in models for number in (1, 2, 3))


@pytest.mark.real
def test_the_real_rows_are_told_apart(make_project: Callable[[str], Project]) -> None:
    archive = os.environ.get("CIFAR_ARCHIVE")
    if not archive:
        pytest.skip("CIFAR_ARCHIVE names no archive of CIFAR-100's bicycles and motorcycles")

    # GIVEN
    project = make_project("real")

    # WHEN
    project.make("demo", f"SOURCE={Path(archive).resolve()}")

    # THEN
    evaluation = read(project, "evaluation.json")
    assert evaluation["accuracy"] >= 0.88
    assert Path(archive).name in evaluation["source"]
    project.make("drift")
    project.make("down")
    assert project.processes() == []
