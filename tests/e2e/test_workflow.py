"""The whole workflow, run by make targets in a copy of the project."""

import csv
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from staging.synthetic.sample import draw_archive
from tests.e2e.conftest import Project
from tests.support.emulator import make_client

BUCKET = "scones-local-data-123456789012"
CLASSES = ["tractor", "bicycle", "bus", "motorcycle", "pickup_truck"]


def read(project: Project, name: str) -> dict[str, Any]:
    """Return the content of a JSON file in `build/local`."""
    content: dict[str, Any] = json.loads((project.path / "build" / "local" / name).read_text())
    return content


def configure(project: Project, *lines: str) -> None:
    """Append lines to the settings of the environment `local`."""
    settings = project.path / "terraform" / "environments" / "local.tfvars"
    settings.write_text("\n".join([settings.read_text(), *lines, ""]))


@pytest.mark.xdist_group("demo")
def test_demo_with_the_synthetic_sample(project: Project) -> None:
    # WHEN
    project.make("demo", "SOURCE=sample", "EPOCHS=1")

    # THEN every image was processed, and the results of the different commands agree
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
    assert re.search(r"200 executions ended from .* median [\d.]+ s, 95th percentile [\d.]+ s", page)
    assert re.search(r"Endpoint, 2 instances</td><td>[\d.]+ hours of ml.m5.xlarge", page)
    assert "cannot be shown" not in page

    # AND `make watch` shows the endpoint and the alarms of this environment
    status = project.make("watch", "ONCE=1")
    assert "InService, 2 instances" in status
    assert "none in ALARM" in status

    # AND with labels for the test images, `make live` computes the same accuracy as `make evaluate`
    s3 = make_client(read(project, "emulator/emulator.json")["url"], "s3", "us-east-1")
    listing = s3.get_object(Bucket=BUCKET, Key="test.lst")["Body"].read().decode()
    rows = [line.split("\t") for line in listing.splitlines()]
    labels = "".join(f"test/{path},{evaluation['classes'][int(number)]}\n" for _, number, path in rows)
    s3.put_object(Bucket=BUCKET, Key="labels/test.csv", Body=f"key,label\n{labels}".encode())
    project.make("live")
    live = read(project, "live.json")
    assert live["labels"]["used"] == live["records"] == 200
    assert live["labelled"]["accuracy"]["value"] == pytest.approx(evaluation["accuracy"])

    # AND there is no drift
    assert "No changes" in project.make("drift")

    # WHEN / THEN `make down` stops every process
    project.make("down")
    assert project.processes() == []


@pytest.mark.xdist_group("five classes")
def test_workflow_with_five_classes(fast_project: Project) -> None:
    # GIVEN five classes with few images in each class
    project = fast_project
    configure(project, f"classes = {json.dumps(CLASSES)}", "minimum_accuracy = 0.01", "threshold = 0.3")
    archive = draw_archive(project.path / "five.tar.gz", classes=CLASSES, train=40, test=6)

    # WHEN a target runs before a target that it depends on, THEN the error names the target to run first
    assert "make up" in project.make("stage", f"SOURCE={archive}", succeeds=False)
    project.make("up")
    assert "make stage" in project.make("train", succeeds=False)
    assert "make train" in project.make("deploy", succeeds=False)
    assert "make stage" in project.make("run", succeeds=False)
    assert "make run" in project.make("evaluate", succeeds=False)

    # WHEN
    targets = ("stage", "train", "deploy", "run", "evaluate", "report")
    output = project.make(*targets, f"SOURCE={archive}", "EPOCHS=2", "PRECISION=0.1")

    # THEN all results contain the five classes in the configured order
    run, evaluation = read(project, "run.json"), read(project, "evaluation.json")
    assert run["classes"] == evaluation["classes"] == CLASSES
    assert all(len(execution["inferences"]) == 5 for execution in run["executions"])
    assert [sum(row) for row in evaluation["confusion"]] == [6] * 5
    assert {score["class"] for score in evaluation["per_class"]} == set(CLASSES)
    assert evaluation["accuracy"] > 0.4  # the expected accuracy of a random guess is 0.2
    passed = sum(execution["status"] == "SUCCEEDED" for execution in run["executions"])
    assert evaluation["n_above_threshold"] == passed > 0
    assert evaluation["for_precision"]["is_reached"]
    assert "make threshold VALUE=" in output
    assert "pickup truck" in (project.path / "build" / "local" / "report.html").read_text()

    # AND the lineage of a prediction contains the training data
    lineage = project.make("lineage", f"EXECUTION={run['executions'][0]['arn']}", "VERIFY=1")
    assert "by v1" in lineage
    assert "train 180: tractor 36, bicycle 36, " in lineage
    assert "in S3 are unchanged" in lineage
    assert "approved, in use" in project.make("models")
    assert "no version that was in use before" in project.make("rollback", succeeds=False)

    # AND `make classify` returns the same prediction for a local copy of an image, and the execution's page shows the
    # image
    passed = next(execution for execution in run["executions"] if execution["status"] == "SUCCEEDED")
    s3 = make_client(read(project, "emulator/emulator.json")["url"], "s3", "us-east-1")
    photo = project.path / "a photo.png"
    photo.write_bytes(s3.get_object(Bucket=BUCKET, Key=passed["s3_key"])["Body"].read())
    assert f"confidence  {max(passed['inferences']):.4f}, which reaches" in project.make("classify", f"IMAGE={photo}")
    assert "a photo.png" in project.make("execution")
    page = (project.path / "build" / "local" / "execution.html").read_text()
    assert 'src="data:image/png;base64,' in page
    assert "not reached" in page

    # AND batch transform makes the same predictions as the workflow
    project.make("transform", "INPUT=test")
    with (project.path / "build" / "local" / "transform.csv").open(newline="") as stream:
        confidences = {row["key"]: float(row["confidence"]) for row in csv.DictReader(stream)}
    assert confidences == pytest.approx({each["s3_key"]: max(each["inferences"]) for each in run["executions"]})

    # AND the endpoint's lifetime can be extended
    assert "runs until" in project.make("extend", "HOURS=4")
    assert "HOURS must be a whole number between 1 and 168" in project.make("extend", "HOURS=0", succeeds=False)

    # AND targets can be repeated
    assert "nothing to train" in project.make("train", "EPOCHS=2")
    assert "nothing changed" in project.make("stage", f"SOURCE={archive}")

    # WHEN simulated night photographs are labelled, and a model is trained again
    project.make("traffic", "BURST=40", "SHIFT=night", "LABELLED=1")
    output = project.make("retrain", "EPOCHS=2")

    # THEN the model is trained on the labelled photographs, and the model's lineage and model card say so
    added = re.search(r"(\d+) reviewed images added: train (\d+), validation (\d+)", output)
    assert added
    count, training, validation = map(int, added.groups())
    assert 10 <= count == training + validation <= 15  # with SHIFT, half of the 30 test images are uploaded
    assert re.search(r"not compared on \d reviewed images? of live traffic", output)
    lineage = project.make("lineage")
    assert f"train {180 + training}: " in lineage
    assert f"of these, {count} reviewed images" in lineage
    card = (project.path / "build" / "local" / "model-card-v2.md").read_text()
    assert "## Reviewed images of live traffic" in card


@pytest.mark.xdist_group("five classes")
def test_training_on_shards_with_both_algorithms_two_hosts_and_tuning(fast_project: Project) -> None:
    # GIVEN the environment that the previous test has deployed, and a small data set in shards
    project = fast_project
    archive = draw_archive(project.path / "few.tar.gz", classes=CLASSES, train=24, test=6)
    project.make("stage", f"SOURCE={archive}", "FORMAT=recordio")

    # WHEN / THEN the built-in algorithm trains on the shards
    small = "num_layers=20 epochs=1 mini_batch_size=10"
    project.make("train", "ALGORITHM=image-classification", f"SET={small}")

    # WHEN / THEN two hosts train one model
    configure(project, "training_instance_count = 2")
    assert "processes 2" in project.make("up", "train", "EPOCHS=1")

    # WHEN / THEN a tuning job runs two training jobs, and selects the best of them
    output = project.make("tune", "EPOCHS=1", "JOBS=2", "PARALLEL=1")
    results = [line for line in output.splitlines() if "learning_rate=" in line]
    assert len(results) == 2
    assert not any("Failed" in line for line in results), results
    assert "best training job:" in output
    assert "best of 2 models, selected on the same images" in output

    # AND these three models are registered in addition to the two models of the previous test
    models = project.make("models")
    assert all(f"v{number} " in models for number in range(1, 6))


@pytest.mark.real
@pytest.mark.xdist_group("real")
def test_demo_with_real_images_reaches_88_percent_accuracy(project: Project) -> None:
    archive = os.environ.get("CIFAR_ARCHIVE")
    if not archive:
        pytest.skip("CIFAR_ARCHIVE is not set")

    # WHEN
    project.make("demo", f"SOURCE={Path(archive).resolve()}", "EPOCHS=3")

    # THEN
    evaluation = read(project, "evaluation.json")
    assert evaluation["accuracy"] >= 0.88
    assert Path(archive).name in evaluation["source"]
